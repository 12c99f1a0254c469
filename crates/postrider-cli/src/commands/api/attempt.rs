//! `postrider attempt`.

use clap::Subcommand;
use http::Method;

use super::{Page, Query};
use crate::client::Call;

/// Applications, messages and endpoints are named by id or uid.
#[derive(Debug, Subcommand)]
pub(crate) enum Attempt {
    /// Lists the attempts of a message or to an endpoint, newest first
    #[command(group = clap::ArgGroup::new("of").required(true))]
    List {
        app: String,
        #[arg(long, group = "of")]
        message: Option<String>,
        #[arg(long, group = "of")]
        endpoint: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Shows one attempt with the receiver's answer
    Get { app: String, message: String, attempt: String },
    /// Sends a message to an endpoint again, now: one attempt
    Resend {
        app: String,
        message: String,
        endpoint: String,
        /// If the attempt fails, run the whole retry schedule again
        #[arg(long)]
        retry: bool,
    },
    /// Removes the receiver's answer for good
    Expunge { app: String, message: String, attempt: String },
}

const COLUMNS: &[&str] = &[
    "id",
    "msgId",
    "endpointId",
    "statusText",
    "status",
    "responseStatusCode",
    "responseDurationMs",
    "triggerType",
    "timestamp",
];

impl Attempt {
    pub(crate) fn query(self) -> anyhow::Result<Query> {
        let call = match self {
            Self::List { app, message, endpoint, page } => {
                let (kind, of) = match (&message, &endpoint) {
                    (Some(message), _) => ("msg", message),
                    (None, Some(endpoint)) => ("endpoint", endpoint),
                    (None, None) => anyhow::bail!("expected --message or --endpoint"),
                };
                page.of(Call::new(Method::GET, &["app", &app, "attempt", kind, of]))
            },
            Self::Get { app, message, attempt } => {
                Call::new(Method::GET, &["app", &app, "msg", &message, "attempt", &attempt])
            },
            Self::Resend { app, message, endpoint, retry } => {
                let path = ["app", &app, "msg", &message, "endpoint", &endpoint, "resend"];
                let mut call = Call::new(Method::POST, &path).body("{}");
                if retry {
                    call.query.push(("retry", "true".to_owned()));
                }
                call
            },
            Self::Expunge { app, message, attempt } => {
                let path = ["app", &app, "msg", &message, "attempt", &attempt, "content"];
                Call::new(Method::DELETE, &path)
            },
        };
        Ok(Query { call, columns: COLUMNS })
    }
}
