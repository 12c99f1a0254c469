//! `postrider token create`.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use postrider::{ApplicationId, OrganizationId};
use serde::Serialize;

use super::{duration, now};
use crate::{
    arguments::ConfigArguments,
    config::{Secret, load},
    output, secrets,
};

/// How long a token is valid that does not say.
const DEFAULT_EXPIRY: &str = "3650d";

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
    /// How long the token is valid, such as 30d or 1h
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_EXPIRY, value_parser = duration)]
    expires: Duration,
}

pub(crate) fn run(Token::Create(arguments): Token) -> anyhow::Result<()> {
    let config = load(&arguments.config.overrides())?.config;
    let secret = secrets::jwt(&config)?;
    let subject = match arguments.app {
        None => Subject::Organization(arguments.org),
        Some(application) => Subject::Application(arguments.org, application),
    };
    output::line(create(&secret, &subject, arguments.expires)?)
}

/// Whom a token speaks for.
#[derive(Debug)]
pub(crate) enum Subject {
    Organization(OrganizationId),
    Application(OrganizationId, ApplicationId),
}

#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// Makes a token that the server with this secret accepts.
pub(crate) fn create(
    secret: &Secret,
    subject: &Subject,
    expires: Duration,
) -> anyhow::Result<String> {
    let (sub, org) = match subject {
        Subject::Organization(organization) => (organization.to_string(), None),
        Subject::Application(organization, application) => {
            (application.to_string(), Some(organization.to_string()))
        },
    };
    let now = now()?.as_secs();
    let exp = now.saturating_add(expires.as_secs());
    let claims = Claims { iss: "postrider", sub, org, iat: now, nbf: now, exp };
    let key = EncodingKey::from_secret(secret.0.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).context("cannot sign")
}
