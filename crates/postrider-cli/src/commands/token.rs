//! `postrider token create`.

use std::time::Duration;

use clap::{Args, Subcommand};
use postrider::{ApplicationId, OrganizationId};
use postrider_core::time::Timestamp;
use postrider_server::{ApplicationGrant, Grant, mint};

use super::{duration, now};
use crate::{arguments::StoreArgs, config::load, output, secrets, settings};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Creates a token and prints it
    #[command(after_help = EXAMPLES)]
    Create(Create),
}

const EXAMPLES: &str = "\
Examples:
  export POSTRIDER_TOKEN=$(postrider token create)
  postrider token create --org org_acme --expires 1h";

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Organization that the token acts for; any id works, organizations need no setup
    #[arg(long, value_name = "ORG", default_value = "org_main")]
    org: OrganizationId,
    /// Restrict the token to one application, with the permissions of its owner
    #[arg(long, value_name = "APP_ID")]
    app: Option<ApplicationId>,
    /// How long the token is valid, such as 30d or 1h, or `never` for no expiry
    #[arg(long, value_name = "DURATION", value_parser = expiry, default_value = "90d")]
    expires: Expiry,
    #[command(flatten)]
    store: StoreArgs,
}

/// How long a token is valid; `None` means that it does not expire.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Duration>);

fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" { Ok(Expiry(None)) } else { duration(text).map(|it| Expiry(Some(it))) }
}

impl TokenCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self::Create(Create { org, app, expires, store }) = self;
        let config = load(&store.overrides())?.config;
        let secret = settings::jwt_secret(&super::on_runtime(secrets::jwt(&config))?);
        let now = Timestamp::default() + now()?;
        let grant = Grant {
            organization: org,
            application: app.map(ApplicationGrant::full),
            expires_at: expires.0.map(|expires| now + expires),
        };
        output::line(mint(&grant, &secret, now))
    }
}
