//! `postrider console`.

use std::time::Duration;

use clap::Args;
use postrider::{OrganizationId, api::Role};
use postrider_core::time::Timestamp;
use postrider_server::{Grant, mint_one_time, sign_in_link};

use super::{duration, now};
use crate::{arguments::StoreArgs, config::load, output, secrets, settings};

const EXAMPLES: &str = "\
Examples:
  postrider console
  postrider console --role viewer --expires 1h";

/// Prints a link that signs in to the console of this server
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Console {
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

impl Console {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = load(&self.store.overrides())?.config;
        anyhow::ensure!(config.console, "the console is disabled; set `console = true`");
        let secret = settings::jwt_secret(&super::on_runtime(secrets::jwt(&config))?);
        let now = Timestamp::default() + now()?;
        let expires_at = Some(now + self.expires);
        let grant = Grant { expires_at, role: self.role, ..Grant::of(self.org) };
        let token = mint_one_time(&grant, config.token_expiry, &secret, now);
        output::line(sign_in_link(&settings::portal_url(&config), &token))
    }
}
