//! `postrider endpoint polling`.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, json};

use crate::client::Call;

/// Of the list of consumers.
pub(super) const COLUMNS: &[&str] = &["id", "committedOffset", "lag", "leasedUntil", "lastPollAt"];

#[derive(Debug, Subcommand)]
pub(crate) enum PollingCommand {
    /// Shows the token, which is valid for polling this endpoint only
    Token(Named),
    /// Creates a new token; the old one stays valid for 5 minutes
    Rotate {
        #[command(flatten)]
        named: Named,
        /// Seconds for which the new token is valid [default: no limit]
        #[arg(long, value_name = "SECONDS")]
        expiry: Option<u64>,
        /// Seconds for which the old token stays valid
        #[arg(long, value_name = "SECONDS")]
        old_token_expiry: Option<u64>,
    },
    /// Lists the consumers with their offsets
    Consumers(Named),
    /// Moves a consumer to the messages that were added at this time or later
    #[command(
        after_help = "Example:\n  postrider endpoint polling seek acme events worker 2026-01-31T12:00:00Z"
    )]
    Seek {
        #[command(flatten)]
        named: Named,
        /// Consumer
        consumer: String,
        /// Time
        after: String,
    },
    /// Removes a consumer and its progress
    RemoveConsumer {
        #[command(flatten)]
        named: Named,
        /// Consumer
        consumer: String,
    },
}

/// Positional arguments that name an endpoint.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Application, by id or uid
    app: String,
    /// Endpoint, by id or uid
    endpoint: String,
}

impl Named {
    fn token(&self, method: Method, rest: &[&str]) -> Call {
        let path = ["auth", "app", &self.app, "poller", &self.endpoint, "token"];
        Call::new(method, &[&path, rest].concat())
    }

    fn consumer(&self, method: Method, rest: &[&str]) -> Call {
        let path = ["app", &self.app, "polling-endpoint", &self.endpoint, "consumer"];
        Call::new(method, &[&path, rest].concat())
    }
}

impl PollingCommand {
    pub(super) fn call(self) -> Call {
        match self {
            Self::Token(named) => named.token(Method::GET, &[]),
            Self::Rotate { named, expiry, old_token_expiry } => {
                let mut body = Map::new();
                body.extend(expiry.map(|it| ("expiry".to_owned(), json!(it))));
                body.extend(old_token_expiry.map(|it| ("oldTokenExpiry".to_owned(), json!(it))));
                named.token(Method::POST, &["rotate"]).body(json!(body).to_string())
            },
            Self::Consumers(named) => named.consumer(Method::GET, &[]),
            Self::Seek { named, consumer, after } => {
                let Named { app, endpoint } = &named;
                let path = ["app", app, "poller", endpoint, "consumer", &consumer, "seek"];
                Call::new(Method::POST, &path).body(json!({ "after": after }).to_string())
            },
            Self::RemoveConsumer { named, consumer } => {
                named.consumer(Method::DELETE, &[&consumer])
            },
        }
    }
}
