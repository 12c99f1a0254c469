//! `postrider app`.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::{ApiRequest, PageArgs, fields::Fields, paths::ApplicationPath};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationCommand {
    /// Lists applications
    List(#[command(flatten)] PageArgs),
    /// Shows an application
    Get(ApplicationPath),
    /// Creates an application
    #[command(after_help = "Example:\n  postrider app create name=Acme uid=acme")]
    Create(Fields),
    /// Changes the given fields
    Update {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Replaces all fields
    Replace {
        #[command(flatten)]
        app: ApplicationPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Starts shadow mode: messages are filtered, signed and recorded, and not sent
    Shadow(ApplicationPath),
    /// Ends shadow mode: messages are sent from now on
    Live(ApplicationPath),
    /// Shows how much of its quotas an application uses
    Usage(ApplicationPath),
    /// Deletes an application and its endpoints
    Delete(ApplicationPath),
}

const COLUMNS: &[&str] = &["id", "uid", "name", "mode", "createdAt"];

fn mode(app: &ApplicationPath, mode: &str) -> Call {
    app.call(Method::PATCH, &[]).body(json!({ "mode": mode }).to_string())
}

impl ApplicationCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List(page) => page.apply(Call::new(Method::GET, &["app"])),
            Self::Get(app) => app.call(Method::GET, &[]),
            Self::Create(fields) => Call::new(Method::POST, &["app"]).body(fields.object()?),
            Self::Update { app, fields } => app.call(Method::PATCH, &[]).body(fields.object()?),
            Self::Replace { app, fields } => app.call(Method::PUT, &[]).body(fields.object()?),
            Self::Shadow(app) => mode(&app, "shadow"),
            Self::Live(app) => mode(&app, "live"),
            Self::Usage(app) => app.call(Method::GET, &["usage"]),
            Self::Delete(app) => app.call(Method::DELETE, &[]),
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}
