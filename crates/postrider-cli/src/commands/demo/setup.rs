//! Creates the example's application, source and endpoints, through the API.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use http::Method;
use postrider::provider::Settings;
use serde_json::{Value, json};

use super::{
    services::{CHAT_PATH, PARTNER_PATH},
    shop::{PAGE_PATH, Ready},
};
use crate::{
    client::Call,
    commands::{
        access::{ApiAccess, json as parse, text},
        provider::{Sender, find},
    },
};

/// How long the server may take for the example's webhook.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

const APPLICATION: &str = "shop";
const SOURCE: &str = "shop-stripe";

/// Stripe's secret of the example's source.
const STRIPE_SECRET: &str = "whsec_exampleexampleexampleexample";

/// The endpoints; names in capitals are replaced by addresses of this process.
const ENDPOINTS: &str = include_str!("../../../../../examples/shop/endpoints.json");

/// What the endpoints are created with.
#[derive(Debug)]
pub(super) struct Setup {
    access: ApiAccess,
    mail: SocketAddr,
    services: SocketAddr,
}

impl Setup {
    pub(super) const fn new(access: ApiAccess, mail: SocketAddr, services: SocketAddr) -> Self {
        Self { access, mail, services }
    }

    /// The URL of the shop's page.
    pub(super) fn page(&self) -> String {
        format!("{}{}", self.access.url, PAGE_PATH)
    }

    pub(super) async fn run(self) -> anyhow::Result<Ready> {
        let application = self.access.application("Example shop", APPLICATION).await?;
        let inbound = self.source().await?;
        for endpoint in self.endpoints()? {
            let path = ["app", APPLICATION, "endpoint", text(&endpoint, "uid")?];
            self.access.call(Method::PUT, &path, &endpoint).await?;
        }
        Ok(Ready {
            application,
            partner: self.access.verifier(APPLICATION, "partner").await?,
            stripe: stripe(&inbound)?,
            access: self.access,
        })
    }

    /// Creates or replaces the source; returns its URL for Stripe.
    async fn source(&self) -> anyhow::Result<String> {
        let source = json!({
            "name": "Stripe",
            "type": "stripe",
            "config": { "secret": STRIPE_SECRET },
            "appId": APPLICATION,
        });
        let call = Call::ingest(Method::PUT, &["source", SOURCE]).body(source.to_string());
        let source = parse(&self.access.client()?.call(call).await?)?;
        text(&source, "ingestUrl").map(str::to_owned)
    }

    /// The endpoints with the addresses of this process.
    fn endpoints(&self) -> anyhow::Result<Vec<Value>> {
        let services = format!("http://{}", self.services);
        let json = ENDPOINTS
            .replace("CHAT_URL", &format!("{services}{CHAT_PATH}"))
            .replace("PARTNER_URL", &format!("{services}{PARTNER_PATH}"))
            .replace("\"MAIL_PORT\"", &self.mail.port().to_string());
        serde_json::from_str(&json).context("the example's endpoints are not JSON")
    }
}

/// A URL with a new token, under which the page reads the stream.
pub(super) async fn live_url(access: &ApiAccess) -> anyhow::Result<String> {
    let path = ["app", APPLICATION, "endpoint", "page", "live-token"];
    let token = access.call(Method::POST, &path, &json!({})).await?;
    text(&token, "url").map(str::to_owned)
}

/// Plays Stripe for the source with this URL.
fn stripe(inbound: &str) -> anyhow::Result<Sender> {
    let provider = find("stripe")?;
    let settings = || Settings::new([STRIPE_SECRET]);
    Ok(Sender::new(provider, inbound.parse()?, settings(), settings()))
}
