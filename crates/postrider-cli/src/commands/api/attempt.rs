//! `postrider attempt`.

use clap::{ArgGroup, Subcommand};
use http::Method;

use super::{
    ApiRequest, PageArgs,
    paths::{ApplicationPath, AttemptPath, MessagePath},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AttemptCommand {
    /// Lists the attempts of a message or to an endpoint, newest first
    #[command(
        group = ArgGroup::new("of").required(true),
        after_help = "Example:\n  postrider attempt list acme --endpoint main"
    )]
    List {
        #[command(flatten)]
        app: ApplicationPath,
        /// Message whose attempts to list, by id or event id
        #[arg(long, group = "of")]
        message: Option<String>,
        /// Endpoint whose attempts to list, by id or uid
        #[arg(long, group = "of")]
        endpoint: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Shows an attempt with the receiver's response
    Get(AttemptPath),
    /// Sends a message to an endpoint again, with one attempt now
    Resend {
        #[command(flatten)]
        message: MessagePath,
        /// Endpoint, by id or uid
        endpoint: String,
        /// Run the whole retry schedule again if the attempt fails
        #[arg(long)]
        retry: bool,
    },
    /// Permanently deletes the stored response of an attempt
    Expunge(AttemptPath),
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

impl AttemptCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List { app, message, endpoint, page } => {
                let (kind, id) = match (&message, &endpoint) {
                    (Some(message), _) => ("msg", message),
                    (None, Some(endpoint)) => ("endpoint", endpoint),
                    (None, None) => anyhow::bail!("expected --message or --endpoint"),
                };
                page.apply(app.call(Method::GET, &["attempt", kind, id]))
            },
            Self::Get(attempt) => attempt.call(Method::GET, &[]),
            Self::Resend { message, endpoint, retry } => {
                let rest = ["endpoint", &endpoint, "resend"];
                let call = message.call(Method::POST, &rest).body("{}");
                call.query("retry", retry.then(|| "true".to_owned()))
            },
            Self::Expunge(attempt) => attempt.call(Method::DELETE, &["content"]),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
