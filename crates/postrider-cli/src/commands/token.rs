//! `postrider token create`.

use std::time::Duration;

use clap::{Args, Subcommand};
use postrider::{ApplicationId, OrganizationId, api::Role};
use postrider_core::time::Timestamp;
use postrider_server::{ApplicationGrant, Grant, mint, mint_one_time, sign_in_link};

use super::{duration, now};
use crate::{arguments::StoreArgs, config::load, output, secrets, settings};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Creates a token and prints it
    #[command(after_help = EXAMPLES)]
    Create(Create),
    /// Creates a one-time token and prints a sign-in link
    #[command(after_help = LINK_EXAMPLES)]
    Link(Link),
}

const LINK_EXAMPLES: &str = "\
Example:
  postrider token link --role viewer";

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

#[derive(Args, Debug)]
pub(crate) struct Link {
    /// Organization to sign in to
    #[arg(long, value_name = "ORG", default_value = "org_main")]
    org: OrganizationId,
    /// What the user may do: viewer, publisher, operator or admin
    #[arg(long, default_value = "admin")]
    role: Role,
    /// How long the link works, at most once, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    expires: Duration,
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
            Self::Link(link) => link.run(),
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

impl Link {
    fn run(self) -> anyhow::Result<()> {
        let config = load(&self.store.overrides())?.config;
        let secret = settings::jwt_secret(&super::on_runtime(secrets::jwt(&config))?);
        let now = Timestamp::default() + now()?;
        let expires_at = Some(now + self.expires);
        let grant = Grant { expires_at, role: self.role, ..Grant::of(self.org) };
        let token = mint_one_time(&grant, config.token_expiry, &secret, now);
        output::line(sign_in_link(&settings::portal_url(&config), &token))
    }
}
