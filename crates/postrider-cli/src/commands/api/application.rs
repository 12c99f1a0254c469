//! `postrider app`.

use clap::Subcommand;
use http::Method;

use super::{Page, Query, fields::Fields};
use crate::client::Call;

/// An application is named by its id or its uid; fields are `name=text`, `name:=json`, one
/// JSON object, or `-` for standard input.
#[derive(Debug, Subcommand)]
pub(crate) enum Application {
    /// Lists the applications
    List(#[command(flatten)] Page),
    /// Shows one application
    Get { app: String },
    /// Creates an application: `create name=Acme uid=acme`
    Create {
        #[command(flatten)]
        fields: Fields,
    },
    /// Changes the fields that are given
    Update {
        app: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        app: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Shows what the application uses of its quotas
    Usage { app: String },
    /// Deletes the application and its endpoints
    Delete { app: String },
}

const COLUMNS: &[&str] = &["id", "uid", "name", "createdAt"];

impl Application {
    pub(crate) fn query(self) -> anyhow::Result<Query> {
        let call = match self {
            Self::List(page) => page.of(Call::new(Method::GET, &["app"])),
            Self::Get { app } => Call::new(Method::GET, &["app", &app]),
            Self::Create { fields } => Call::new(Method::POST, &["app"]).body(fields.object()?),
            Self::Update { app, fields } => {
                Call::new(Method::PATCH, &["app", &app]).body(fields.object()?)
            },
            Self::Replace { app, fields } => {
                Call::new(Method::PUT, &["app", &app]).body(fields.object()?)
            },
            Self::Usage { app } => Call::new(Method::GET, &["app", &app, "usage"]),
            Self::Delete { app } => Call::new(Method::DELETE, &["app", &app]),
        };
        Ok(Query { call, columns: COLUMNS })
    }
}
