//! `postrider token create`.

use std::time::Duration;

use clap::{Args, Subcommand};
use postrider::{ApplicationId, OrganizationId};
use postrider_core::time::Timestamp;
use postrider_server::{ApplicationGrant, Grant, mint};

use super::{duration, now};
use crate::{arguments::ConfigArguments, config::load, output, secrets, settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Prints a new token, alone on standard output
    Create(Create),
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    config: ConfigArguments,
    /// Organization that the token acts for; it exists by being named
    #[arg(long, value_name = "ORG", default_value = "org_main")]
    org: OrganizationId,
    /// Restrict the token to one application, with the smaller rights of its owner
    #[arg(long, value_name = "APP")]
    app: Option<ApplicationId>,
    /// How long the token is valid, such as 30d or 1h; `never` for a token without an end
    #[arg(long, value_name = "DURATION", value_parser = expiry, default_value = "90d")]
    expires: Expiry,
}

/// How long a token is valid; `None` for ever.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Duration>);

fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" { Ok(Expiry(None)) } else { duration(text).map(|it| Expiry(Some(it))) }
}

pub(crate) fn run(Token::Create(arguments): Token) -> anyhow::Result<()> {
    let config = load(&arguments.config.overrides())?.config;
    let secret = settings::jwt_secret(&super::on_runtime(secrets::jwt(&config))?);
    let now = Timestamp::default() + now()?;
    let grant = Grant {
        organization: arguments.org,
        application: arguments.app.map(ApplicationGrant::full),
        expires_at: arguments.expires.0.map(|expires| now + expires),
    };
    output::line(mint(&grant, &secret, now))
}
