//! Creates the sample application, event type and endpoint, unless they exist.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use http::{Method, StatusCode};
use postrider::signature::Verifier;
use postrider_core::time::Timestamp;
use postrider_server::{Grant, JwtSecret, mint};
use serde_json::{Value, json};

use super::sample::{APPLICATION, ENDPOINT, EVENT_TYPE, INBOX_PATH, ORGANIZATION, Sample};
use crate::client::{Call, Client};

/// How long the printed token is valid; each start prints a new one.
const TOKEN_EXPIRY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Creates the sample records through the API.
#[derive(Debug)]
pub(super) struct Setup {
    /// Without a trailing slash.
    pub url: String,
    pub token: String,
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

    pub(super) async fn run(&self) -> anyhow::Result<Sample> {
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
            "the event type cannot be created: {status}"
        );
        self.endpoint(&client).await?;
        let path = ["app", APPLICATION, "endpoint", ENDPOINT, "secret"];
        let secret = parse(&client.call(Call::new(Method::GET, &path)).await?)?;
        Ok(Sample {
            application: text(&application, "id")?.parse()?,
            verifier: Verifier::new([text(&secret, "key")?])?,
        })
    }

    /// Creates the endpoint, or makes sure that it leads to this process.
    async fn endpoint(&self, client: &Client) -> anyhow::Result<()> {
        let path = ["app", APPLICATION, "endpoint", ENDPOINT];
        let url = format!("{}{}", self.url, INBOX_PATH);
        let (status, body) = client.ask(Call::new(Method::GET, &path)).await?;
        if status == StatusCode::NOT_FOUND {
            let endpoint =
                json!({ "url": url, "uid": ENDPOINT, "description": "Prints deliveries" });
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

/// A URL that reaches the address from this machine.
fn reachable(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(it) if it.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(it) if it.ip().is_unspecified() => format!("http://[::1]:{port}"),
        SocketAddr::V4(_) | SocketAddr::V6(_) => format!("http://{address}"),
    }
}

fn parse(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).context("the server's response is not JSON")
}

fn text<'a>(object: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    object[field].as_str().with_context(|| format!("the server's response has no `{field}`"))
}
