//! `postrider dev`: a server with an application and an inbox that shows what arrives.

mod inbox;
mod setup;

use std::{net::IpAddr, process::ExitCode};

use ipnet::IpNet;

use self::{inbox::Inbox, setup::Setup};
use crate::{
    arguments::ServerArguments,
    config::{Config, Loaded, LogLevel, load},
    node::Node,
    output, secrets, settings, telemetry,
};

pub(crate) fn run(arguments: ServerArguments) -> anyhow::Result<ExitCode> {
    let loaded = load(&arguments.config.overrides())?;
    let secret_files = loaded.secret_files();
    let Loaded { mut config, origins } = loaded;
    allow_loopback(&mut config);
    if !origins.contains_key("log_level") {
        // The terminal is for what arrives.
        config.log_level = LogLevel("warn".to_owned());
    }
    if !origins.contains_key("relay") {
        config.relay = true;
    }
    telemetry::start(&config)?;
    secrets::warn_of_public_files(&secret_files);
    super::on_runtime(async {
        let node = Node::open(&config, arguments.accept_loss).await?;
        let jwt = settings::jwt_secret(&secrets::jwt(&config).await?);
        let setup = Setup::new(node.address, &jwt, node.engine.clock().now());
        let (inbox, pages) = Inbox::new(node.engine.clone());
        let place = config.place();
        let company = async move {
            let demo = setup.run().await?;
            output::text(&welcome(&setup, &place))?;
            inbox.show(demo).await
        };
        Box::pin(node.run(pages, company)).await
    })
}

/// Lets deliveries reach receivers on this machine.
fn allow_loopback(config: &mut Config) {
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    for address in loopback {
        let prefix = if address.is_ipv4() { 8 } else { 128 };
        config.allow_networks.push(IpNet::new_assert(address, prefix).trunc());
    }
}

fn welcome(setup: &Setup, place: &str) -> String {
    let Setup { url, token } = setup;
    let body =
        format!(r#"{{"eventType": "{}", "payload": {{"hello": "world"}}}}"#, setup::EVENT_TYPE);
    format!(
        "\
Postrider listens on {url}, data in {place}
The API is described at {url}/docs

Token of the organization {organization}:
{token}

Paste this into another terminal to publish an event to the application `{application}`:
curl -X POST {url}/api/v1/app/{application}/msg -H 'Authorization: Bearer {token}' \
-H 'Content-Type: application/json' -d '{body}'

Get webhooks to a program of your own:
postrider listen --server {url} --forward http://127.0.0.1:3000/

What arrives in the inbox ({url}{path}):
",
        organization = setup::ORGANIZATION,
        application = setup::APPLICATION,
        path = inbox::PATH,
    )
}
