//! `postrider serve`.

use std::process::ExitCode;

use axum::Router;

use crate::{arguments::ServerArguments, config::load, node::Node, output, telemetry};

pub(crate) fn run(arguments: ServerArguments) -> anyhow::Result<ExitCode> {
    let config = load(&arguments.config.overrides())?.config;
    telemetry::start(&config)?;
    super::on_runtime(async {
        let node = Node::open(&config, arguments.accept_loss).await?;
        let place = config.place();
        let address = node.address;
        let ready = async move {
            output::line(format_args!("Postrider listens on http://{address}, data in {place}"))
        };
        node.run(Router::new(), ready).await
    })
}
