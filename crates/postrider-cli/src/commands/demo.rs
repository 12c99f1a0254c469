//! `postrider demo`: a server with an example shop, in which one webhook has six effects.

mod mail;
mod page;
mod records;
mod services;
mod setup;
mod shop;

use std::{path::PathBuf, process::ExitCode};

use tokio::net::TcpListener;

use self::{records::Records, setup::Setup, shop::Shop};
use crate::{
    arguments::ServerArgs,
    commands::{access::ApiAccess, dev},
    config::{Config, Declared, Loaded, LogLevel, load},
    failure::{self, Advice},
    node::Node,
    output,
    pages::Pages,
    secrets, settings, telemetry,
};

/// The data folder, unless another one is configured. That of `postrider serve` would keep the
/// example's source, whose secret everybody knows.
const DATA: &str = "./postrider-demo";

pub(crate) fn run(arguments: ServerArgs) -> anyhow::Result<ExitCode> {
    let loaded = load(&arguments.config.overrides())?;
    if loaded.config.database_url.is_some() {
        return Err(failure::usage(database_refused()));
    }
    let secret_files = loaded.secret_files();
    let Loaded { mut config, origins, declared } = loaded;
    dev::allow_loopback(&mut config);
    if !origins.contains_key("data_dir") {
        config.data_dir = PathBuf::from(DATA);
    }
    if !origins.contains_key("log_level") {
        config.log_level = LogLevel("warn".to_owned());
    }
    telemetry::start(&config)?;
    secrets::warn_of_public_files(&secret_files);
    super::on_runtime(serve(config, declared, arguments.accept_loss))
}

fn database_refused() -> Advice {
    Advice {
        message: "the example shop does not run on a database".to_owned(),
        hint: "leave `database_url` out (the variable is POSTRIDER_DATABASE_URL); the example \
               stores everything in a folder"
            .to_owned(),
        source: None,
    }
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
    let shop = Shop::new(node.engine.clone(), config.sqlite_folder(), records.clone());
    let pages = Pages { routes: page::router(shop.clone()), ..Pages::default() };
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
