//! A whole server in one process: the store, the engine, the API, and their end.

use std::{
    future::pending, io, net::SocketAddr, process::ExitCode, sync::Arc, thread, time::Duration,
};

use anyhow::Context;
use axum::Router;
use postrider_engine::{Clock, Driver, Engine, HttpSender, Rooms, SenderOptions};
use postrider_server::Server;
use postrider_store::{EmbeddedStore, PostgresStore, Store};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    failure::{self, Advice},
    secrets::{self, Secrets},
    settings,
};

/// Exit code of a process that a second signal ended.
const INTERRUPTED: u8 = 130;

/// A server that is ready to run.
#[derive(Debug)]
pub(crate) struct Node {
    pub engine: Engine,
    pub address: SocketAddr,
    listener: TcpListener,
    store: Arc<dyn Store>,
    rooms: Rooms,
    server: postrider_server::Settings,
    grace: Duration,
}

impl Node {
    /// Takes the port and the data folder, and brings the store up to date.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let trusted = settings::trusted(config)?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr()?;
        let (store, Secrets { jwt, vault }) = open_store(config).await?;
        let clock = Clock::system(store.last_sequence().await?);
        clock.follow(&*store).await?;
        clock.follow(&*store).await?;
        let sender = SenderOptions { trusted, ..settings::sender(config) };
        let sender = Arc::new(HttpSender::new(sender));
        let (engine, rooms) =
            Engine::new(Arc::clone(&store), sender, clock, vault, settings::engine(config));
        let portal = config.public_url.as_ref().map(|it| it.0.to_string());
        let portal = portal.unwrap_or_else(|| format!("http://{address}/"));
        let server = settings::server(config, &jwt, portal);
        let grace = config.shutdown_grace;
        Ok(Self { engine, address, listener, store, rooms, server, grace })
    }

    /// Serves until a signal comes, then ends in order; a second signal ends at once.
    ///
    /// `pages` are served beside the API. `company` runs as soon as requests are answered;
    /// if it fails, the server ends in order too.
    pub(crate) async fn run(
        self,
        pages: Router,
        company: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::new()?;
        let stop = CancellationToken::new();
        let work = self.work(pages, stop.clone());
        let company = async {
            match company.await {
                Ok(()) => pending().await,
                Err(error) => error,
            }
        };
        tokio::pin!(work);
        let failed = tokio::select! {
            ended = &mut work => return ended.map(|()| ExitCode::SUCCESS),
            () = signals.next() => None,
            error = company => Some(error),
        };
        tracing::info!("shutting down; a second signal ends at once");
        stop.cancel();
        tokio::select! {
            ended = work => failed.map_or(ended, Err).map(|()| ExitCode::SUCCESS),
            () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
        }
    }

    /// The API ends first, so that what it accepted is still taken in; then the drivers, which
    /// settle or release; then the store.
    async fn work(self, pages: Router, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { engine, listener, store, rooms, server, grace, .. } = self;
        let halt = CancellationToken::new();
        let limits = server.limits;
        let router = Server::router(engine, server).merge(pages);
        let mut tasks = JoinSet::new();
        let threads = start(rooms, &halt, grace, &mut tasks)?;
        let served = postrider_server::serve(listener, router, limits, stop).await;
        halt.cancel();
        while let Some(ended) = tasks.join_next().await {
            ended.context("a part of the engine stopped")?;
        }
        for thread in threads {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
            joined.map_err(|_| anyhow::anyhow!("a part of the engine stopped"))??;
        }
        store.close().await?;
        tracing::info!("everything is stored");
        Ok(served?)
    }
}

/// Starts the engine's rooms: the first driver here, the others on threads of their own.
fn start(
    rooms: Rooms,
    halt: &CancellationToken,
    grace: Duration,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Vec<thread::JoinHandle<anyhow::Result<()>>>> {
    let mut drivers = rooms.drivers.into_iter();
    tasks.spawn(rooms.upkeep.run(halt.clone()));
    tasks.spawn(rooms.listener.run(halt.clone()));
    if let Some(first) = drivers.next() {
        tasks.spawn(first.run(halt.clone(), grace));
    }
    drivers
        .enumerate()
        .map(|(index, driver)| {
            let halt = halt.clone();
            let builder = thread::Builder::new().name(format!("shard-{}", index + 1));
            builder.spawn(move || drive(driver, halt, grace)).context("a thread cannot be started")
        })
        .collect()
}

fn drive(driver: Driver, halt: CancellationToken, grace: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(driver.run(halt, grace));
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hints = [
            (io::ErrorKind::AddrInUse, "another program listens there; end it, or choose another"),
            (io::ErrorKind::PermissionDenied, "ports below 1024 need rights; choose another"),
            (io::ErrorKind::AddrNotAvailable, "this machine has no such address; choose another"),
        ];
        let hint = hints.into_iter().find(|(kind, _)| *kind == error.kind());
        let hint = hint.map_or("choose another", |(_, hint)| hint);
        Advice {
            message: format!("cannot listen on {address}"),
            hint: format!("{hint} address with --listen"),
            source: Some(error.into()),
        }
        .into()
    })
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {},
            _ = self.interrupt.recv() => {},
        }
    }
}

/// Becomes a node of the database, or opens the data folder, which this process alone uses
/// from then on.
async fn open_store(config: &Config) -> anyhow::Result<(Arc<dyn Store>, Secrets)> {
    if let Some(url) = &config.database_url {
        // Who has other secrets must not become a node, and do harm.
        let secrets = secrets::open(config).await?;
        let opened = PostgresStore::open(settings::database(config, url)).await;
        return Ok((Arc::new(opened.map_err(failure::of_store)?), secrets));
    }
    let folder = config.data_dir.clone();
    let options = settings::store(config);
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&folder, &options));
    let store = Arc::new(opened.await?.map_err(failure::of_store)?);
    // Not before, or somebody else's data folder would get our secrets.
    Ok((store, secrets::open(config).await?))
}
