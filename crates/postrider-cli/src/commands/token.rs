//! `postrider token create`.

use std::time::Duration;

use clap::{Args, Subcommand};
use postrider::{ApplicationId, OrganizationId, api::Role};
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
    /// What a token without --app allows: viewer, publisher, operator or admin
    #[arg(long, default_value = "admin", conflicts_with = "app")]
    role: Role,
    /// How long the token is valid, such as 30d or 1h, or `never` for no expiry; the setting
    /// `token_expiry` if absent
    #[arg(long, value_name = "DURATION", value_parser = expiry)]
    expires: Option<Expiry>,
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
        match self {
            Self::Create(create) => create.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<()> {
        let config = load(&self.store.overrides())?.config;
        let secret = settings::jwt_secret(&super::on_runtime(secrets::jwt(&config))?);
        let now = Timestamp::default() + now()?;
        let expires = self.expires.unwrap_or(Expiry(Some(config.token_expiry)));
        let grant = Grant {
            application: self.app.map(ApplicationGrant::full),
            expires_at: expires.0.map(|expires| now + expires),
            role: self.role,
            ..Grant::of(self.org)
        };
        output::line(mint(&grant, &secret, now))
    }
}
