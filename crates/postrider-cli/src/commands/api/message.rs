//! `postrider message`.

use clap::Subcommand;
use http::Method;
use serde_json::json;

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
        /// Only messages that are to be delivered later
        #[arg(long)]
        scheduled: bool,
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
    /// Changes when a scheduled message is delivered
    #[command(after_help = RESCHEDULE_EXAMPLE)]
    Reschedule {
        #[command(flatten)]
        message: MessagePath,
        /// When the first attempt is made, such as 2027-01-31T08:00:00Z
        #[arg(long, value_name = "TIME")]
        deliver_at: String,
    },
    /// Cancels the pending deliveries of a message
    Cancel(MessagePath),
    /// Permanently deletes the payload of a message
    Expunge(MessagePath),
}

const CREATE_EXAMPLE: &str = "\
Example:
  postrider message create acme eventType=invoice.paid payload:='{\"id\": 1}'";

const RESCHEDULE_EXAMPLE: &str = "\
Example:
  postrider message reschedule acme invoice-1-due --deliver-at 2027-01-31T08:00:00Z";

pub(super) const COLUMNS: &[&str] =
    &["id", "eventType", "eventId", "url", "status", "nextAttempt", "deliverAt", "timestamp"];

impl MessageCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List { app, scheduled, page } => {
                let scheduled = scheduled.then(|| "true".to_owned());
                page.apply(app.call(Method::GET, &["msg"]).query("scheduled", scheduled))
            },
            Self::Get(message) => message.call(Method::GET, &[]),
            Self::Create { app, fields } => app.call(Method::POST, &["msg"]).body(fields.object()?),
            Self::Endpoints { message, page } => {
                page.apply(message.call(Method::GET, &["endpoint"]))
            },
            Self::Reschedule { message, deliver_at } => {
                let body = json!({ "deliverAt": deliver_at });
                message.call(Method::POST, &["reschedule"]).body(body.to_string())
            },
            Self::Cancel(message) => message.call(Method::POST, &["cancel"]),
            Self::Expunge(message) => message.call(Method::DELETE, &["content"]),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
