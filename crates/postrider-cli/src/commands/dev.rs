//! `postrider dev`: a trial server with a sample application and an inbox that shows deliveries.

mod inbox;
mod sample;
mod setup;

use std::{net::IpAddr, process::ExitCode, time::Duration};

use ipnet::IpNet;
use postrider_core::time::Timestamp;
use postrider_server::{Grant, JwtSecret, mint_one_time, sign_in_link};

use self::{inbox::Inbox, sample::INBOX_PATH, setup::Setup};
use crate::{
    arguments::ServerArgs,
    commands::access::{ApiAccess, ORGANIZATION},
    config::{Config, Loaded, LogLevel, load},
    node::Node,
    output,
    pages::Pages,
    secrets, settings, telemetry,
};

/// How long the link to the console works.
const LINK_EXPIRY: Duration = Duration::from_secs(60 * 60);

pub(crate) fn run(arguments: ServerArgs) -> anyhow::Result<ExitCode> {
    let loaded = load(&arguments.config.overrides())?;
    let secret_files = loaded.secret_files();
    let Loaded { mut config, origins, declared } = loaded;
    allow_loopback(&mut config);
    if !origins.contains_key("log_level") {
        // The terminal is for the inbox.
        config.log_level = LogLevel("warn".to_owned());
    }
    if !origins.contains_key("relay") {
        config.relay = true;
    }
    telemetry::start(&config)?;
    secrets::warn_of_public_files(&secret_files);
    super::on_runtime(async {
        let node = Node::open(&config, declared, arguments.accept_loss).await?;
        let jwt = settings::jwt_secret(&secrets::jwt(&config).await?);
        let now = node.engine.clock().now();
        let access = ApiAccess::new(node.address, &jwt, now);
        let link = config.console.then(|| sign_in_link_of(&config, &access, &jwt, now));
        let setup = Setup { access };
        let (inbox, routes) = Inbox::new(node.engine.clone());
        let requests = Some(inbox.requests());
        let pages = Pages { routes, welcome: Some(sample::welcome()), inbox: requests };
        let location = config.store_location();
        let setup_and_inbox = async move {
            let sample = setup.run().await?;
            output::text(&welcome(&setup.access, &location, link.as_deref()))?;
            inbox.run(sample).await
        };
        Box::pin(node.run(pages, setup_and_inbox)).await
    })
}

/// Allows deliveries to receivers on this machine.
pub(super) fn allow_loopback(config: &mut Config) {
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    for address in loopback {
        let prefix = if address.is_ipv4() { 8 } else { 128 };
        config.allow_networks.push(IpNet::new_assert(address, prefix).trunc());
    }
}

/// A link with which one person signs in to the console within an hour.
fn sign_in_link_of(config: &Config, access: &ApiAccess, jwt: &JwtSecret, now: Timestamp) -> String {
    let organization = ORGANIZATION.parse().expect("a fixed name");
    let grant = Grant { expires_at: Some(now + LINK_EXPIRY), ..Grant::of(organization) };
    let token = mint_one_time(&grant, config.token_expiry, jwt, now);
    let public = config.public_url.as_ref().map(|it| it.0.to_string());
    sign_in_link(public.as_deref().unwrap_or(&access.url), &token)
}

fn welcome(access: &ApiAccess, location: &str, link: Option<&str>) -> String {
    let ApiAccess { url, token } = access;
    let body =
        format!(r#"{{"eventType": "{}", "payload": {{"hello": "world"}}}}"#, sample::EVENT_TYPE);
    format!(
        "\
Postrider listens on {url}, data in {location}
{console}API documentation: {url}/docs

API token for the organization {organization}:
{token}

To publish an event to the application `{application}`, run this in another terminal:
curl -X POST {url}/api/v1/app/{application}/msg -H 'Authorization: Bearer {token}' \
-H 'Content-Type: application/json' -d '{body}'

To forward webhooks to your own program:
postrider listen --server {url} --forward http://127.0.0.1:3000/

Deliveries to the inbox ({url}{path}):
",
        console = link.map_or_else(String::new, |it| format!("Open the console: {it}\n")),
        organization = ORGANIZATION,
        application = sample::APPLICATION,
        path = INBOX_PATH,
    )
}
