//! `postrider message`.

use clap::Subcommand;
use http::Method;

use super::{
    ApiRequest, PageArgs,
    fields::Fields,
    paths::{ApplicationPath, MessagePath},
};

#[derive(Debug, Subcommand)]
pub(crate) enum MessageCommand {
    /// Lists the messages of an application, newest first
    List {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows a message with its payload
    Get(MessagePath),
    /// Publishes an event; `postrider send` is shorter
    #[command(after_help = CREATE_EXAMPLE)]
    Create {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Lists the endpoints that a message goes to, with the status of each delivery
    Endpoints {
        #[command(flatten)]
        message: MessagePath,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Permanently deletes the payload of a message
    Expunge(MessagePath),
}

const CREATE_EXAMPLE: &str = "\
Example:
  postrider message create acme eventType=invoice.paid payload:='{\"id\": 1}'";

pub(super) const COLUMNS: &[&str] =
    &["id", "eventType", "eventId", "url", "status", "nextAttempt", "timestamp"];

impl MessageCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List { app, page } => page.apply(app.call(Method::GET, &["msg"])),
            Self::Get(message) => message.call(Method::GET, &[]),
            Self::Create { app, fields } => app.call(Method::POST, &["msg"]).body(fields.object()?),
            Self::Endpoints { message, page } => {
                page.apply(message.call(Method::GET, &["endpoint"]))
            },
            Self::Expunge(message) => message.call(Method::DELETE, &["content"]),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
