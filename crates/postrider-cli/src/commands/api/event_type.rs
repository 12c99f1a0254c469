//! `postrider event-type`.

use clap::Subcommand;
use http::Method;

use super::{Page, Query, fields::Fields};
use crate::client::Call;

/// Fields are `name=text`, `name:=json`, one JSON object, or `-` for standard input.
#[derive(Debug, Subcommand)]
pub(crate) enum EventType {
    /// Lists the event types
    List(#[command(flatten)] Page),
    /// Shows one event type
    Get { name: String },
    /// Creates an event type: `create name=invoice.paid description="An invoice was paid"`
    Create {
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes the fields that are given
    Update {
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        name: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Archives the event type
    Delete { name: String },
}

const COLUMNS: &[&str] = &["name", "description", "archived", "deprecated", "createdAt"];

impl EventType {
    pub(crate) fn query(self) -> anyhow::Result<Query> {
        let call = match self {
            Self::List(page) => page.of(Call::new(Method::GET, &["event-type"])),
            Self::Get { name } => Call::new(Method::GET, &["event-type", &name]),
            Self::Create { fields } => {
                Call::new(Method::POST, &["event-type"]).body(fields.object()?)
            },
            Self::Update { name, fields } => {
                Call::new(Method::PATCH, &["event-type", &name]).body(fields.object()?)
            },
            Self::Replace { name, fields } => {
                Call::new(Method::PUT, &["event-type", &name]).body(fields.object()?)
            },
            Self::Delete { name } => Call::new(Method::DELETE, &["event-type", &name]),
        };
        Ok(Query { call, columns: COLUMNS })
    }
}
