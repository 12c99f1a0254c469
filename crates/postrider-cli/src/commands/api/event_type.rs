//! `postrider event-type`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use http::Method;
use serde::Serialize;
use serde_json::{json, value::RawValue};

use super::{
    ApiRequest, PageArgs,
    fields::{self, Fields},
    paths::EventTypePath,
};
use crate::{client::Call, input};

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
    /// Checks a payload against the newest schema of an event type
    #[command(after_help = CHECK_EXAMPLE)]
    Check {
        #[command(flatten)]
        event_type: EventTypePath,
        /// JSON payload, or - for standard input
        payload: String,
    },
    /// Shows the last payloads that did not match the schema, as the node that responds has seen
    Report(EventTypePath),
    /// Creates or changes the event types that an OpenAPI document describes
    #[command(after_help = IMPORT_EXAMPLE)]
    ImportOpenapi {
        /// Document in JSON or YAML, or - for standard input
        file: PathBuf,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
        /// Archive the event types that the document does not describe
        #[arg(long)]
        replace_all: bool,
    },
    /// Writes the event types as an OpenAPI document
    ExportOpenapi,
}

const CHECK_EXAMPLE: &str = "\
Example:
  postrider event-type check invoice.paid '{\"id\": 1}' --json";

const IMPORT_EXAMPLE: &str = "\
Example:
  postrider event-type import-openapi openapi.yaml --dry-run --json";

const CREATE_EXAMPLE: &str = "\
Example:
  postrider event-type create name=invoice.paid description=\"An invoice was paid\"";

const COLUMNS: &[&str] =
    &["name", "description", "archived", "deprecated", "schemaValidation", "createdAt"];

#[derive(Serialize)]
struct CheckBody<'a> {
    payload: &'a RawValue,
}

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
            Self::Check { event_type, payload } => {
                let payload = fields::json(&payload)?;
                let payload: &RawValue =
                    serde_json::from_str(payload.trim()).context("not valid JSON")?;
                let body = serde_json::to_vec(&CheckBody { payload })?;
                event_type.call_below(Method::POST, "schema-check").body(body)
            },
            Self::Report(event_type) => event_type.call_below(Method::GET, "schema-report"),
            Self::ImportOpenapi { file, dry_run, replace_all } => {
                let text = String::from_utf8(input::read_file_or_stdin(&file)?)
                    .context("the document is not UTF-8")?;
                let body = json!({ "specRaw": text, "dryRun": dry_run, "replaceAll": replace_all });
                Call::new(Method::POST, &["event-type", "import", "openapi"]).body(body.to_string())
            },
            Self::ExportOpenapi => Call::new(Method::POST, &["event-type", "export", "openapi"]),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
