//! `postrider key`.

use clap::Subcommand;
use http::Method;
use postrider::api::Role;
use serde_json::json;

use super::{ApiRequest, PageArgs, paths::KeyPath};
use crate::{client::Call, commands::duration};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Lists API keys
    List(#[command(flatten)] PageArgs),
    /// Shows an API key
    Get(KeyPath),
    /// Creates an API key and prints it; it cannot be printed again
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// Name by which people recognize the key
        name: String,
        /// What the key allows: viewer, publisher, operator or admin
        #[arg(long)]
        role: Role,
        /// Restrict the key to one application, by id or uid
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// How long the key is valid, such as 90d; it does not expire if absent
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<std::time::Duration>,
    },
    /// Revokes an API key on all servers
    Revoke(KeyPath),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  postrider key create backend --role publisher
  postrider key create dashboard --role viewer --expires 90d";

const COLUMNS: &[&str] =
    &["id", "name", "role", "appId", "censoredToken", "createdAt", "expiresAt", "lastUsedAt"];

const CREATED_COLUMNS: &[&str] = &["id", "name", "role", "appId", "expiresAt", "token"];

impl KeyCommand {
    pub(crate) fn request(self) -> ApiRequest {
        let (call, columns) = match self {
            Self::List(page) => (page.apply(Call::new(Method::GET, &["api-key"])), COLUMNS),
            Self::Get(key) => (key.call(Method::GET), COLUMNS),
            Self::Create { name, role, app, expires } => {
                let expiry = expires.map(|it| it.as_secs());
                let body = json!({ "name": name, "role": role, "appId": app, "expiry": expiry });
                let call = Call::new(Method::POST, &["api-key"]).body(body.to_string());
                (call, CREATED_COLUMNS)
            },
            Self::Revoke(key) => (key.call(Method::DELETE), COLUMNS),
        };
        ApiRequest { call, columns }
    }
}
