//! `postrider dev`: a trial server with a sample application and an inbox that shows deliveries.

mod inbox;
mod sample;
mod setup;

use std::{net::IpAddr, process::ExitCode};

use ipnet::IpNet;

use self::{inbox::Inbox, sample::INBOX_PATH, setup::Setup};
use crate::{
    arguments::ServerArgs,
    commands::access::{ApiAccess, ORGANIZATION},
    config::{Config, Loaded, LogLevel, load},
    node::Node,
    output, secrets, settings, telemetry,
};

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
        let access = ApiAccess::new(node.address, &jwt, node.engine.clock().now());
        let setup = Setup { access };
        let (inbox, pages) = Inbox::new(node.engine.clone());
        let location = config.store_location();
        let setup_and_inbox = async move {
            let sample = setup.run().await?;
            output::text(&welcome(&setup.access, &location))?;
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

fn welcome(access: &ApiAccess, location: &str) -> String {
    let ApiAccess { url, token } = access;
    let body =
        format!(r#"{{"eventType": "{}", "payload": {{"hello": "world"}}}}"#, sample::EVENT_TYPE);
    format!(
        "\
Postrider listens on {url}, data in {location}
API documentation: {url}/docs

API token for the organization {organization}:
{token}

To publish an event to the application `{application}`, run this in another terminal:
curl -X POST {url}/api/v1/app/{application}/msg -H 'Authorization: Bearer {token}' \
-H 'Content-Type: application/json' -d '{body}'

To forward webhooks to your own program:
postrider listen --server {url} --forward http://127.0.0.1:3000/

Deliveries to the inbox ({url}{path}):
",
        organization = ORGANIZATION,
        application = sample::APPLICATION,
        path = INBOX_PATH,
    )
}
