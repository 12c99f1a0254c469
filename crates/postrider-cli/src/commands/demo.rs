//! `postrider demo`: a server with an example shop, in which one webhook has six effects.

mod mail;
mod page;
mod records;
mod services;
mod setup;
mod shop;

use std::process::ExitCode;

use tokio::net::TcpListener;

use self::{records::Records, setup::Setup, shop::Shop};
use crate::{
    arguments::ServerArgs,
    commands::{access::ApiAccess, dev},
    config::{Config, Declared, Loaded, LogLevel, load},
    node::Node,
    output, secrets, settings, telemetry,
};

pub(crate) fn run(arguments: ServerArgs) -> anyhow::Result<ExitCode> {
    let Loaded { mut config, origins, declared } = load(&arguments.config.overrides())?;
    dev::allow_loopback(&mut config);
    if !origins.contains_key("log_level") {
        config.log_level = LogLevel("warn".to_owned());
    }
    telemetry::start(&config)?;
    super::on_runtime(serve(config, declared, arguments.accept_loss))
}

async fn serve(config: Config, declared: Declared, accept_loss: bool) -> anyhow::Result<ExitCode> {
    let node = Node::open(&config, declared, accept_loss).await?;
    let jwt = settings::jwt_secret(&secrets::jwt(&config).await?);
    let records = Records::default();
    let mail = TcpListener::bind("127.0.0.1:0").await?;
    let services = TcpListener::bind("127.0.0.1:0").await?;
    let setup = Setup::new(
        ApiAccess::new(node.address, &jwt, node.engine.clock().now()),
        mail.local_addr()?,
        services.local_addr()?,
    );
    let shop = Shop::new(node.engine.clone(), config.data_dir.join("sqlite"), records.clone());
    let pages = page::router(shop.clone());
    let effects = async move {
        let url = setup.page();
        let services = services::serve(services, records.clone(), shop.clone());
        let mail = mail::serve(mail, records);
        let start = async {
            shop.open(setup.run().await?);
            output::line(format_args!("Open {url} in a browser, and press the button there."))?;
            std::future::pending::<anyhow::Result<()>>().await
        };
        tokio::select! {
            ended = services => ended,
            ended = mail => ended,
            ended = start => ended,
        }
    };
    Box::pin(node.run(pages, effects)).await
}
