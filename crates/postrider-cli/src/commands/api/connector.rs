//! `postrider connector`.

use std::path::PathBuf;

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value};

use super::{
    ApiRequest, PageArgs,
    code::{self, TrialArgs},
    fields::Fields,
    paths::ConnectorPath,
};
use crate::client::Call;

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// Lists connectors
    List(#[command(flatten)] PageArgs),
    /// Shows a connector
    Get(ConnectorPath),
    /// Creates a connector
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        #[command(flatten)]
        fields: Fields,
        /// File with JavaScript that defines a function `handler`; - for standard input
        #[arg(long, value_name = "FILE")]
        code: Option<PathBuf>,
    },
    /// Changes the given fields
    #[command(after_help = "Example:\n  postrider connector update slack --code slack.js")]
    Update {
        #[command(flatten)]
        connector: ConnectorPath,
        #[command(flatten)]
        fields: Fields,
        /// File with JavaScript that defines a function `handler`; - for standard input
        #[arg(long, value_name = "FILE")]
        code: Option<PathBuf>,
    },
    /// Deletes a connector; endpoints keep its code
    Delete(ConnectorPath),
    /// Lists the transformations that come with the server
    #[command(after_help = "Example:\n  postrider connector templates --json")]
    Templates,
    /// Runs code on a payload, and sends nothing
    #[command(after_help = SIMULATE_EXAMPLE)]
    Simulate(TrialArgs),
}

const CREATE_EXAMPLES: &str = "\
Example:
  postrider connector create name=Slack uid=slack kind=Slack --code slack.js";

const SIMULATE_EXAMPLE: &str = "\
Example:
  postrider connector simulate --code slack.js --event-type invoice.paid \\
      --payload '{\"id\": \"in_1\"}'";

const COLUMNS: &[&str] = &["id", "uid", "kind", "name", "description", "createdAt"];

impl ConnectorCommand {
    pub(crate) fn request(self) -> anyhow::Result<ApiRequest> {
        let call = match self {
            Self::List(page) => page.apply(Call::new(Method::GET, &["connector"])),
            Self::Get(connector) => connector.call(Method::GET),
            Self::Create { fields, code } => {
                Call::new(Method::POST, &["connector"]).body(body(&fields, code)?)
            },
            Self::Update { connector, fields, code } => {
                connector.call(Method::PATCH).body(body(&fields, code)?)
            },
            Self::Delete(connector) => connector.call(Method::DELETE),
            Self::Templates => Call::new(Method::GET, &["connector-template"]),
            Self::Simulate(trial) => {
                Call::new(Method::POST, &["connector", "simulate"]).body(trial.body()?)
            },
        };
        Ok(ApiRequest { call, columns: COLUMNS })
    }
}

/// The fields, and the code as `transformation`.
fn body(fields: &Fields, code: Option<PathBuf>) -> anyhow::Result<Vec<u8>> {
    let mut body: Map<String, Value> = serde_json::from_slice(&fields.object()?)?;
    if let Some(path) = code {
        body.insert("transformation".to_owned(), code::read(&path)?.into());
    }
    Ok(serde_json::to_vec(&body)?)
}
