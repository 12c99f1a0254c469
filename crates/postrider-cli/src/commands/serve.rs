//! `postrider serve`.

use std::process::ExitCode;

use crate::{
    arguments::ServerArgs,
    config::{Loaded, load},
    node::Node,
    output,
    pages::Pages,
    secrets, settings, telemetry,
};

pub(crate) fn run(arguments: ServerArgs) -> anyhow::Result<ExitCode> {
    let loaded = load(&arguments.config.overrides())?;
    telemetry::start(&loaded.config)?;
    secrets::warn_of_public_files(&loaded.secret_files());
    let Loaded { config, declared, .. } = loaded;
    super::on_runtime(async {
        let node = Node::open(&config, declared, arguments.accept_loss).await?;
        let location = config.store_location();
        let url = settings::base_url(&config, node.address);
        let metrics = node.metrics_address;
        let metrics = metrics.map_or_else(String::new, |it| format!(", metrics on http://{it}"));
        let ready = async move {
            output::line(format_args!("Postrider listens on {url}{metrics}, data in {location}"))
        };
        Box::pin(node.run(Pages::default(), ready)).await
    })
}
