//! `postrider endpoint`.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::{
    ApiRequest, PageArgs,
    fields::Fields,
    paths::{ApplicationPath, EndpointPath},
};

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    /// Lists the endpoints of an application
    List {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows an endpoint
    Get(EndpointPath),
    /// Creates an endpoint
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes the given fields
    #[command(after_help = "Example:\n  postrider endpoint update acme main disabled:=true")]
    Update {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Deletes an endpoint
    Delete(EndpointPath),
    /// Shows the signing secret
    Secret(EndpointPath),
    /// Creates a new signing secret; the old one also signs for another 24 h
    Rotate(EndpointPath),
    /// Shows the custom headers of an endpoint
    Headers(EndpointPath),
    /// Counts deliveries by status
    Stats(EndpointPath),
    /// Resends failed and cancelled deliveries, with one attempt each
    #[command(after_help = RECOVER_EXAMPLE)]
    Recover {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Resend deliveries of messages accepted at or after this time
        #[arg(long, value_name = "TIMESTAMP")]
        since: String,
        /// Run the whole retry schedule again if an attempt fails
        #[arg(long)]
        retry: bool,
    },
    /// Sends the example payload of an event type
    SendExample {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// Event type, such as invoice.paid
        event_type: String,
    },
}

const CREATE_EXAMPLES: &str = "\
Examples:
  postrider endpoint create acme url=https://example.com/webhooks uid=main
  postrider endpoint create acme url=localhost:3000 'filterTypes:=[\"invoice.paid\"]'";

const RECOVER_EXAMPLE: &str = "\
Example:
  postrider endpoint recover acme main --since 2026-01-31T12:00:00Z";

const COLUMNS: &[&str] = &["id", "uid", "url", "disabled", "description", "createdAt"];

/// Fields whose value is a URL to call.
const URL_FIELDS: &[&str] = &["url"];

impl EndpointCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List { app, page } => page.apply(app.call(Method::GET, &["endpoint"])),
            Self::Create { app, fields } => {
                app.call(Method::POST, &["endpoint"]).body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Get(endpoint) => endpoint.call(Method::GET, &[]),
            Self::Update { endpoint, fields } => {
                endpoint.call(Method::PATCH, &[]).body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Replace { endpoint, fields } => {
                endpoint.call(Method::PUT, &[]).body(fields.object_with_urls(URL_FIELDS)?)
            },
            Self::Delete(endpoint) => endpoint.call(Method::DELETE, &[]),
            Self::Secret(endpoint) => endpoint.call(Method::GET, &["secret"]),
            Self::Rotate(endpoint) => endpoint.call(Method::POST, &["secret", "rotate"]).body("{}"),
            Self::Headers(endpoint) => endpoint.call(Method::GET, &["headers"]),
            Self::Stats(endpoint) => endpoint.call(Method::GET, &["stats"]),
            Self::Recover { endpoint, since, retry } => {
                let body = json!({ "since": since, "retry": retry }).to_string();
                endpoint.call(Method::POST, &["recover"]).body(body)
            },
            Self::SendExample { endpoint, event_type } => {
                let body = json!({ "eventType": event_type }).to_string();
                endpoint.call(Method::POST, &["send-example"]).body(body)
            },
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
