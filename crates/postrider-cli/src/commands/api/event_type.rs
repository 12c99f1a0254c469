//! `postrider event-type`.

use clap::Subcommand;
use http::Method;

use super::{ApiRequest, PageArgs, fields::Fields, paths::EventTypePath};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum EventTypeCommand {
    /// Lists event types
    List(#[command(flatten)] PageArgs),
    /// Shows an event type
    Get(EventTypePath),
    /// Creates an event type
    #[command(after_help = CREATE_EXAMPLE)]
    Create(Fields),
    /// Changes the given fields
    Update {
        #[command(flatten)]
        event_type: EventTypePath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        #[command(flatten)]
        event_type: EventTypePath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Archives an event type
    Delete(EventTypePath),
}

const CREATE_EXAMPLE: &str = "\
Example:
  postrider event-type create name=invoice.paid description=\"An invoice was paid\"";

const COLUMNS: &[&str] = &["name", "description", "archived", "deprecated", "createdAt"];

impl EventTypeCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List(page) => page.apply(Call::new(Method::GET, &["event-type"])),
            Self::Get(event_type) => event_type.call(Method::GET),
            Self::Create(fields) => Call::new(Method::POST, &["event-type"]).body(fields.object()?),
            Self::Update { event_type, fields } => {
                event_type.call(Method::PATCH).body(fields.object()?)
            },
            Self::Replace { event_type, fields } => {
                event_type.call(Method::PUT).body(fields.object()?)
            },
            Self::Delete(event_type) => event_type.call(Method::DELETE),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
