//! `postrider endpoint auth`, `oauth` and `mtls`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use http::Method;
use serde_json::{json, value::RawValue};

use crate::{
    client::Call,
    commands::api::{fields::Fields, paths::EndpointPath},
    input::{read_stdin_text, read_text},
};

const AUTH_EXAMPLES: &str = "\
Examples:
  postrider endpoint auth set acme main type=bearer token=s3cret
  postrider endpoint auth set acme main type=basic username=acme password=s3cret
  postrider endpoint auth set acme main type=header name=x-api-key value=s3cret";

const OAUTH_EXAMPLES: &str = "\
Examples:
  postrider endpoint oauth set acme main grantType=clientCredentials \\
    authMethod=clientSecretBasic tokenUrl=https://id.example.com/token \\
    clientId=acme clientSecret=s3cret
  postrider endpoint oauth set acme main @oauth.json";

const MTLS_EXAMPLES: &str = "\
Examples:
  postrider endpoint mtls set acme main client.crt client.key
  cat client.pem | postrider endpoint mtls set acme main -";

/// The credential of every request.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Sets the credential: type=basic, bearer or header
    #[command(after_help = AUTH_EXAMPLES)]
    Set {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Removes the credential
    Remove(EndpointPath),
}

/// How access tokens are fetched.
#[derive(Debug, Subcommand)]
pub(crate) enum OauthCommand {
    /// Shows how access tokens are fetched, without secrets
    Get(EndpointPath),
    /// Sets how access tokens are fetched; replaces everything that was set before
    #[command(after_help = OAUTH_EXAMPLES)]
    Set {
        #[command(flatten)]
        endpoint: EndpointPath,
        #[command(flatten)]
        fields: Fields,
    },
    /// Removes OAuth from the endpoint
    Delete(EndpointPath),
}

/// The client certificate.
#[derive(Debug, Subcommand)]
pub(crate) enum MtlsCommand {
    /// Shows the client certificate and when it expires
    Get(EndpointPath),
    /// Sets the client certificate
    #[command(after_help = MTLS_EXAMPLES)]
    Set {
        #[command(flatten)]
        endpoint: EndpointPath,
        /// PEM files with the certificate, its chain and its private key, or - for standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Removes the client certificate
    Delete(EndpointPath),
}

impl AuthCommand {
    pub(super) fn call(self) -> anyhow::Result<Call> {
        Ok(match self {
            Self::Set { endpoint, fields } => {
                let fields: Box<RawValue> = serde_json::from_slice(&fields.object()?)
                    .context("the fields are not a JSON object")?;
                let body = json!({ "authentication": fields });
                endpoint.call(Method::PATCH, &[]).body(body.to_string())
            },
            Self::Remove(endpoint) => {
                endpoint.call(Method::PATCH, &[]).body(r#"{"authentication":null}"#)
            },
        })
    }
}

impl OauthCommand {
    pub(super) fn call(self) -> anyhow::Result<Call> {
        Ok(match self {
            Self::Get(endpoint) => endpoint.call(Method::GET, &["oauth"]),
            Self::Set { endpoint, fields } => {
                endpoint.call(Method::PUT, &["oauth"]).body(fields.object()?)
            },
            Self::Delete(endpoint) => endpoint.call(Method::DELETE, &["oauth"]),
        })
    }
}

impl MtlsCommand {
    pub(super) fn call(self) -> anyhow::Result<Call> {
        Ok(match self {
            Self::Get(endpoint) => endpoint.call(Method::GET, &["mtls"]),
            Self::Set { endpoint, files } => {
                let body = json!({ "identity": joined(&files)? }).to_string();
                endpoint.call(Method::PUT, &["mtls"]).body(body)
            },
            Self::Delete(endpoint) => endpoint.call(Method::DELETE, &["mtls"]),
        })
    }
}

/// The texts of the files, one after the other.
fn joined(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files {
        text += &if file.as_os_str() == "-" { read_stdin_text()? } else { read_text(file)? };
        text.push('\n');
    }
    Ok(text)
}
