//! `postrider endpoint`.

use clap::Subcommand;
use http::Method;

use super::{Page, Query, fields::Fields};
use crate::client::Call;

/// Applications and endpoints are named by id or uid; fields are `name=text`, `name:=json`,
/// one JSON object, or `-` for standard input.
#[derive(Debug, Subcommand)]
pub(crate) enum Endpoint {
    /// Lists the endpoints of an application
    List {
        app: String,
        #[command(flatten)]
        page: Page,
    },
    /// Shows one endpoint
    Get { app: String, endpoint: String },
    /// Creates an endpoint: `create acme url=https://example.com/in`
    Create {
        app: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes the fields that are given
    Update {
        app: String,
        endpoint: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        app: String,
        endpoint: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Deletes the endpoint
    Delete { app: String, endpoint: String },
    /// Shows the secret that signs
    Secret { app: String, endpoint: String },
    /// Makes a new secret; the old one signs beside it for a day
    Rotate { app: String, endpoint: String },
    /// Shows the headers that every call carries
    Headers { app: String, endpoint: String },
    /// Counts deliveries by where they stand
    Stats { app: String, endpoint: String },
    /// Sends what failed or was cancelled since a time again: one attempt each
    Recover {
        app: String,
        endpoint: String,
        /// Such as 2026-01-31T12:00:00Z
        #[arg(long)]
        since: String,
        /// Run the whole retry schedule again for what fails
        #[arg(long)]
        retry: bool,
    },
    /// Sends the example of an event type
    SendExample { app: String, endpoint: String, event_type: String },
}

const COLUMNS: &[&str] = &["id", "uid", "url", "disabled", "description", "createdAt"];

/// Fields that hold a URL to call.
const URLS: &[&str] = &["url"];

impl Endpoint {
    pub(crate) fn query(self) -> anyhow::Result<Query> {
        let call = match self {
            Self::List { app, page } => page.of(Call::new(Method::GET, &["app", &app, "endpoint"])),
            Self::Create { app, fields } => {
                let body = fields.object_with_urls(URLS)?;
                Call::new(Method::POST, &["app", &app, "endpoint"]).body(body)
            },
            Self::Get { app, endpoint } => one(Method::GET, &app, &endpoint, &[]),
            Self::Update { app, endpoint, fields } => {
                one(Method::PATCH, &app, &endpoint, &[]).body(fields.object_with_urls(URLS)?)
            },
            Self::Replace { app, endpoint, fields } => {
                one(Method::PUT, &app, &endpoint, &[]).body(fields.object_with_urls(URLS)?)
            },
            Self::Delete { app, endpoint } => one(Method::DELETE, &app, &endpoint, &[]),
            Self::Secret { app, endpoint } => one(Method::GET, &app, &endpoint, &["secret"]),
            Self::Rotate { app, endpoint } => {
                one(Method::POST, &app, &endpoint, &["secret", "rotate"]).body("{}")
            },
            Self::Headers { app, endpoint } => one(Method::GET, &app, &endpoint, &["headers"]),
            Self::Stats { app, endpoint } => one(Method::GET, &app, &endpoint, &["stats"]),
            Self::Recover { app, endpoint, since, retry } => {
                let body = serde_json::json!({ "since": since, "retry": retry });
                one(Method::POST, &app, &endpoint, &["recover"]).body(body.to_string())
            },
            Self::SendExample { app, endpoint, event_type } => {
                let body = serde_json::json!({ "eventType": event_type });
                one(Method::POST, &app, &endpoint, &["send-example"]).body(body.to_string())
            },
        };
        Ok(Query { call, columns: COLUMNS })
    }
}

fn one(method: Method, app: &str, endpoint: &str, rest: &[&str]) -> Call {
    Call::new(method, &[&["app", app, "endpoint", endpoint], rest].concat())
}
