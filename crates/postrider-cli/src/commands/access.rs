//! Access to the API of a server that runs in this process, with a new token.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use http::Method;
use postrider::{ApplicationId, signature::Verifier};
use postrider_core::time::Timestamp;
use postrider_server::{Grant, JwtSecret, mint};
use serde_json::Value;

use crate::client::{Call, Client};

/// The organization of trial servers.
pub(super) const ORGANIZATION: &str = "org_main";

/// How long the token is valid; each start makes a new one.
const TOKEN_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A server and a token for it.
#[derive(Clone)]
pub(super) struct ApiAccess {
    /// Without a trailing slash.
    pub url: String,
    pub token: String,
}

impl std::fmt::Debug for ApiAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

impl ApiAccess {
    pub(super) fn new(address: SocketAddr, jwt: &JwtSecret, now: Timestamp) -> Self {
        let grant = Grant {
            expires_at: Some(now + TOKEN_EXPIRY),
            ..Grant::of(ORGANIZATION.parse().expect("a fixed name"))
        };
        Self { url: reachable(address), token: mint(&grant, jwt, now) }
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client { url: self.url.parse()?, token: self.token.clone() })
    }

    /// Makes a call that must succeed, and returns the JSON of the response.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> anyhow::Result<Value> {
        json(&self.client()?.call(Call::new(method, path).body(body.to_string())).await?)
    }

    /// The application with this uid, which is created if it does not exist.
    pub(super) async fn application(&self, name: &str, uid: &str) -> anyhow::Result<ApplicationId> {
        let application = serde_json::json!({ "name": name, "uid": uid });
        let call = Call::new(Method::POST, &["app"])
            .query("get_if_exists", Some("true".to_owned()))
            .body(application.to_string());
        let application = json(&self.client()?.call(call).await?)?;
        Ok(text(&application, "id")?.parse()?)
    }

    /// Verifies the requests to an endpoint.
    pub(super) async fn verifier(
        &self,
        application: &str,
        endpoint: &str,
    ) -> anyhow::Result<Verifier> {
        let path = ["app", application, "endpoint", endpoint, "secret"];
        let secret = json(&self.client()?.call(Call::new(Method::GET, &path)).await?)?;
        Ok(Verifier::new([text(&secret, "key")?])?)
    }
}

/// A URL that reaches the address from this machine.
fn reachable(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(it) if it.ip().is_unspecified() => format!("http://[::1]:{port}"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => format!("http://{address}"),
    }
}

/// The body of a response.
pub(super) fn json(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).context("the server's response is not JSON")
}

/// A text in an object of a response.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    object[field].as_str().with_context(|| format!("the server's response has no `{field}`"))
}
