//! What a fresh server needs before the first event; made once, found again later.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use http::{Method, StatusCode};
use postrider::{ApplicationId, signature::Verifier};
use postrider_core::time::Timestamp;
use postrider_server::{Grant, JwtSecret, mint};
use serde_json::{Value, json};

use super::inbox;
use crate::client::{Call, Client};

pub(super) const ORGANIZATION: &str = "org_main";
pub(super) const APPLICATION: &str = "demo";
pub(super) const EVENT_TYPE: &str = "demo.greeting";
pub(super) const ENDPOINT: &str = "inbox";

/// How long the printed token is valid; each start prints a new one.
const TOKEN_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Makes the application, the event type and the endpoint.
#[derive(Debug)]
pub(super) struct Setup {
    /// Without a slash at its end.
    pub url: String,
    pub token: String,
}

/// What the inbox has to know of what was made.
#[derive(Debug)]
pub(super) struct Demo {
    pub application: ApplicationId,
    pub verifier: Verifier,
}

impl Setup {
    pub(super) fn new(address: SocketAddr, jwt: &JwtSecret, now: Timestamp) -> Self {
        let grant = Grant {
            organization: ORGANIZATION.parse().expect("a fixed name"),
            application: None,
            expires_at: Some(now + TOKEN_EXPIRY),
        };
        let token = mint(&grant, jwt, now);
        Self { url: reachable(address), token }
    }

    /// Uses the API as any client does.
    pub(super) async fn run(&self) -> anyhow::Result<Demo> {
        let client = Client { url: self.url.parse()?, token: self.token.clone() };
        let application = json!({ "name": "Demo", "uid": APPLICATION });
        let call = Call::new(Method::POST, &["app"])
            .query("get_if_exists", Some("true".to_owned()))
            .body(application.to_string());
        let application = parse(&client.call(call).await?)?;
        let event_type = json!({ "name": EVENT_TYPE, "description": "Says hello" });
        let call = Call::new(Method::POST, &["event-type"]).body(event_type.to_string());
        let (status, _) = client.ask(call).await?;
        anyhow::ensure!(
            status.is_success() || status == StatusCode::CONFLICT,
            "the event type was answered with {status}"
        );
        self.endpoint(&client).await?;
        let path = ["app", APPLICATION, "endpoint", ENDPOINT, "secret"];
        let secret = parse(&client.call(Call::new(Method::GET, &path)).await?)?;
        Ok(Demo {
            application: text(&application, "id")?.parse()?,
            verifier: Verifier::new([text(&secret, "key")?])?,
        })
    }

    /// Makes the endpoint, or sees to it that it leads to this process.
    async fn endpoint(&self, client: &Client) -> anyhow::Result<()> {
        let path = ["app", APPLICATION, "endpoint", ENDPOINT];
        let url = format!("{}{}", self.url, inbox::PATH);
        let (status, body) = client.ask(Call::new(Method::GET, &path)).await?;
        if status == StatusCode::NOT_FOUND {
            let endpoint =
                json!({ "url": url, "uid": ENDPOINT, "description": "Shows what arrives" });
            let (_, path) = path.split_last().expect("a path has segments");
            let call = Call::new(Method::POST, path).body(endpoint.to_string());
            return client.call(call).await.map(|_| ());
        }
        let endpoint = parse(&body)?;
        if endpoint["url"] != url || endpoint["disabled"] == true {
            let change = json!({ "url": url, "disabled": false }).to_string();
            client.call(Call::new(Method::PATCH, &path).body(change)).await?;
        }
        Ok(())
    }
}

/// An address that this machine can call.
fn reachable(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(it) if it.ip().is_unspecified() => format!("http://[::1]:{port}"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => format!("http://{address}"),
    }
}

fn parse(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).context("the server's answer is not JSON")
}

fn text<'a>(object: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    object[field].as_str().with_context(|| format!("the server's answer has no `{field}`"))
}
