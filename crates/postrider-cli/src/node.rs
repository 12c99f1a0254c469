//! A server in one process: starts the store, the engine and the API, and shuts them down in order.

use std::{
    future::pending, io, net::SocketAddr, pin::pin, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::Context;
use axum::Router;
use postrider::api::EndpointKind;
use postrider_core::{kind::command::CommandRegistry, queue::QueueKind};
use postrider_engine::{
    BuiltInOptions, Clock, CommandSender, Engine, EngineTasks, HttpClient, HttpSender,
    QueueConnector, SenderOptions, Senders, Shaper, built_in,
};
use postrider_sandbox::Sandbox;
use postrider_server::{Server, ServerTls, Serving};
use postrider_store::{EmbeddedStore, Options, PostgresStore, Store, StoreFailure};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    alerts,
    config::{Config, Declared},
    declared, descriptors,
    failure::{self, Advice},
    pages::{self, Pages},
    secrets::{self, Secrets},
    settings,
    supervisor::Supervisor,
    traces::{Exporter, RunningExporter, Traces},
};

/// Exit code after a second signal.
const INTERRUPTED: u8 = 130;

/// A server that is ready to run.
#[derive(Debug)]
pub(crate) struct Node {
    pub engine: Engine,
    pub address: SocketAddr,
    /// Where metrics are served.
    pub metrics_address: Option<SocketAddr>,
    listeners: Listeners,
    store: Arc<dyn Store>,
    tasks: EngineTasks,
    server: postrider_server::Settings,
    sandbox: Option<Sandbox>,
    queues: Queues,
    grace: Duration,
    declared: Declared,
    config: Config,
    supervisor: Supervisor,
    exporter: Option<Exporter>,
}

/// What accepts connections.
#[derive(Debug)]
struct Listeners {
    api: TcpListener,
    tls: Option<ServerTls>,
    metrics: Option<TcpListener>,
    /// Other threads that serve the connections of the API.
    threads: Vec<Handle>,
    /// Received from the beginning: by default, SIGHUP ends a process.
    hangups: Signal,
}

/// The clients of queues, by kind.
type Queues = Vec<(QueueKind, Arc<dyn QueueConnector>)>;

/// What connects to other services.
#[derive(Debug)]
struct Clients {
    senders: Senders,
    sandbox: Option<Sandbox>,
    queues: Queues,
    http: HttpClient,
}

impl Node {
    /// Binds the port, opens the store and upgrades it. Lost data is an error unless the loss is
    /// accepted. What is declared is applied before requests are served.
    pub(crate) async fn open(
        config: &Config,
        mut declared: Declared,
        accept_loss: bool,
    ) -> anyhow::Result<Self> {
        let traces = Traces::of_process()?;
        warn_of_descriptor_limit(config, descriptors::raise());
        let clients = clients(config, declared::take_programs(&mut declared)?)?;
        let listeners = Listeners::open(config)?;
        let (store, secrets) = open_store(config, accept_loss).await?;
        secrets::warn_of_exposed(&config.data_dir);
        let node = Self::with_store(config, listeners, (store, secrets), clients, traces).await?;
        Ok(Self { declared, ..node })
    }

    async fn with_store(
        config: &Config,
        listeners: Listeners,
        (store, secrets): (Arc<dyn Store>, Secrets),
        Clients { senders, sandbox, queues, http }: Clients,
        Traces { are_propagated, export }: Traces,
    ) -> anyhow::Result<Self> {
        let Secrets { jwt, vault, is_outdated } = secrets;
        let (tracer, exporter) = export.unzip();
        let address = listeners.api.local_addr()?;
        let metrics_address =
            listeners.metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        let clock = Clock::system(store.last_sequence().await?);
        clock.follow(&*store).await?;
        let senders = match &sandbox {
            Some(sandbox) => {
                let rules = settings::transformation_rules(config, address);
                senders.shaped_by(Shaper::new(sandbox.clone(), rules))
            },
            None => senders,
        };
        let sender = Arc::new(senders);
        let engine = postrider_engine::Settings {
            tracer,
            alerts: Some(alerts::settings(config, address)),
            ..settings::engine(config)
        };
        let (engine, mut tasks) = Engine::new(Arc::clone(&store), sender, clock, vault, engine);
        tasks.alerts = engine.alert_task(alerts::sender(config, address)?);
        if is_outdated {
            tasks.rotation.expect_plaintext();
        }
        let server = postrider_server::Settings {
            propagates_traces: are_propagated,
            ..settings::server(config, &jwt, address, &http)
        };
        let grace = config.shutdown_grace;
        let (declared, config) = (Declared::default(), config.clone());
        let supervisor = Supervisor::of_process()?;
        Ok(Self {
            engine,
            address,
            metrics_address,
            listeners,
            store,
            tasks,
            server,
            sandbox,
            queues,
            grace,
            declared,
            config,
            supervisor,
            exporter,
        })
    }

    /// Serves until a signal arrives, then shuts down in order; a second signal exits immediately.
    /// In between, the server is not ready but works for `shutdown_delay`.
    ///
    /// `pages` are served in addition to the API and the console. `companion` runs while the server does; if it
    /// fails, the server shuts down in order too.
    pub(crate) async fn run(
        mut self,
        pages: Pages,
        companion: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::new()?;
        let stop = CancellationToken::new();
        let (draining, delay) = (self.server.draining.clone(), self.config.shutdown_delay);
        let supervisor = self.supervisor.clone();
        let mut watched = pin!(supervisor.watch(self.engine.clone()));
        let exporter = self.exporter.take().map(Exporter::start).transpose();
        let exporter = exporter.context("cannot start a thread")?;
        let work = self.exported_work(exporter, pages, stop.clone());
        let companion = async {
            match companion.await {
                Ok(()) => pending().await,
                Err(error) => error,
            }
        };
        tokio::pin!(work);
        let failed = tokio::select! {
            ended = &mut work => return ended.map(|()| ExitCode::SUCCESS),
            () = signals.next() => None,
            error = companion => Some(error),
            never = &mut watched => match never {},
        };
        tracing::info!("shutting down; a second signal exits immediately");
        supervisor.stopping();
        draining.cancel();
        let delayed = async {
            // After a failure there is nothing to wait for.
            if failed.is_none() {
                tokio::time::sleep(delay).await;
            }
            stop.cancel();
            pending().await
        };
        tokio::select! {
            ended = work => failed.map_or(ended, Err).map(|()| ExitCode::SUCCESS),
            () = signals.next() => Ok(ExitCode::from(INTERRUPTED)),
            never = delayed => match never {},
            never = watched => match never {},
        }
    }

    /// The same as [`Self::work`]. The spans of the last requests are exported when it has ended.
    async fn exported_work(
        self,
        exporter: Option<RunningExporter>,
        pages: Pages,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let worked = Box::pin(self.work(pages, stop)).await;
        if let Some(exporter) = exporter {
            exporter.end().await;
        }
        worked
    }

    /// Shuts down the API and the consumers first, so that the engine still takes what they accepted; then the
    /// drivers, which settle or release their deliveries; then the store. If a part of the engine
    /// or the store stops unexpectedly, everything shuts down, so that a supervisor can restart it.
    async fn work(self, pages: Pages, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { engine, listeners, store, tasks, sandbox, grace, declared, config, .. } = self;
        let supervisor = self.supervisor;
        let halt = CancellationToken::new();
        let settings = self.server.clone();
        let server = Server::with_queues(engine.clone(), self.server, self.queues);
        let operations = server.operations();
        let mut running = tasks.start(&halt, grace).context("cannot start a thread")?;
        let applied = tokio::select! {
            applied = declared::apply(&declared, &operations, &config.data_dir) => applied,
            stopped = running.failure() => Err(broken(stopped.into())),
        };
        if let Err(error) = applied {
            halt.cancel();
            // The first error is the cause of others.
            drop((running.end().await, store.close().await));
            return Err(error);
        }
        supervisor.ready();
        let listeners = Listeners { threads: running.threads().to_vec(), ..listeners };
        let consumers = server.consumers().run(stop.clone());
        let mut serving = pin!(async {
            let served = async {
                let router =
                    pages::router(&server, pages, &settings, (&engine, &stop), config.console);
                let served =
                    listeners.serve(&server, router, &settings, (&supervisor, &stop)).await;
                stop.cancel();
                served
            };
            let noted = stop.run_until_cancelled(secrets::note_rotation(&config, &engine));
            tokio::join!(served, consumers, noted).0
        });
        let failure = tokio::select! {
            served = &mut serving => Ok(served?),
            stopped = running.failure() => Err(broken(stopped.into())),
            failure = store.failed() => Err(stopped(failure)),
        };
        if let Err(error) = &failure {
            tracing::error!("{error:#}; shutting down");
            stop.cancel();
            serving.await?;
        }
        if failure.is_ok() {
            server.flush().await;
        }
        halt.cancel();
        let ended = running.end().await;
        let closed = store.close().await;
        failure?;
        if let Some(sandbox) = sandbox {
            sandbox.shut_down().await;
        }
        ended?;
        closed?;
        tracing::info!("shut down; everything is stored");
        Ok(())
    }
}

/// The store stopped by itself.
fn stopped(failure: StoreFailure) -> anyhow::Error {
    let message = failure.to_string();
    match failure {
        StoreFailure::Thread => broken(failure.into()),
        StoreFailure::Sync { .. } => Advice {
            message,
            hint: "check the disk and the log of the system, and start the server again: it reads what \
                   is on the disk; everything that was accepted with 202 had been synced before"
                .to_owned(),
            source: None,
        }
        .into(),
        StoreFailure::Outdated(_) => Advice {
            message,
            hint: "install the version that upgraded the schema, or a later one; everything that was \
                   accepted is stored, and other nodes deliver it"
                .to_owned(),
            source: None,
        }
        .into(),
    }
}

/// A part of the server panicked. Only a new process can take over the deliveries that it held.
fn broken(source: anyhow::Error) -> anyhow::Error {
    Advice {
        message: "internal error".to_owned(),
        hint: "start the server again, preferably with a supervisor such as systemd; no accepted \
               message is lost; please report the panic in the log"
            .to_owned(),
        source: Some(source),
    }
    .into()
}

fn clients(config: &Config, commands: CommandRegistry) -> anyhow::Result<Clients> {
    let trusted = settings::trusted(config)?;
    let options = SenderOptions { trusted, ..settings::sender(config) };
    let time_limit = options.request_timeout;
    let http = Arc::new(HttpSender::new(options));
    let guard = http.guard();
    let own = BuiltInOptions { sqlite_folder: config.sqlite_folder() };
    let kinds = built_in(&guard, &own).into_iter().chain(postrider_sinks::senders(&guard));
    let senders = Senders::new(http, time_limit)
        .with(EndpointKind::Command, Arc::new(CommandSender::new(commands)));
    let senders = kinds.fold(senders, |senders, (kind, sender)| senders.with(kind, sender));
    let http = guard.http().clone();
    let (sandbox, queues) = (sandbox(config)?, postrider_sinks::queues(&guard));
    Ok(Clients { senders, sandbox, queues, http })
}

/// Runs transformations, unless this system cannot confine the processes that do.
fn sandbox(config: &Config) -> anyhow::Result<Option<Sandbox>> {
    let transformations = &config.transformations;
    if !transformations.enabled {
        return Ok(None);
    }
    if let Err(reason) = postrider_sandbox::confinement()
        && !transformations.allow_unconfined
    {
        tracing::warn!(
            reason,
            "transformations do not run, because this system cannot confine their processes; \
             deliveries to endpoints that have one fail; `transformations.allow_unconfined` runs \
             them anyway"
        );
        return Ok(None);
    }
    let path = std::env::current_exe().context("cannot find the program's own file")?;
    Ok(Some(Sandbox::new(settings::sandbox(config, path))))
}

/// Binds the address. `backlog` connections may wait to be accepted; the kernel may allow fewer.
fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Otherwise a restart fails until the connections of the previous process time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(backlog)
}

impl Listeners {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let metrics = config.metrics_listen;
        Ok(Self {
            tls: settings::tls(config)?,
            api: listen(config, config.listen, "--listen")?,
            metrics: metrics.map(|it| listen(config, it, "metrics_listen")).transpose()?,
            threads: Vec::new(),
            hangups: signal(SignalKind::hangup())?,
        })
    }

    /// Serves the API and the metrics until `stop`.
    async fn serve(
        self,
        server: &Server,
        router: Router,
        settings: &postrider_server::Settings,
        (supervisor, stop): (&Supervisor, &CancellationToken),
    ) -> io::Result<()> {
        let Self { api, tls, metrics, threads, hangups } = self;
        let reloading = reload(tls.as_ref(), hangups, supervisor, stop);
        let metrics = async {
            let Some(listener) = metrics else { return Ok(()) };
            let (router, serving) = (server.metrics_router(), settings.serving_metrics());
            postrider_server::serve(listener, router, serving, stop.clone()).await
        };
        let serving = Serving { threads, ..settings.serving(tls.clone()) };
        let api = postrider_server::serve(api, router, serving, stop.clone());
        tokio::try_join!(api, metrics, reloading).map(|_| ())
    }
}

/// Uses a new certificate when its files change, and at once on SIGHUP. Without a certificate,
/// SIGHUP changes nothing, but it must not end the server either.
async fn reload(
    tls: Option<&ServerTls>,
    mut hangups: Signal,
    supervisor: &Supervisor,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut following = pin!(async {
        match tls {
            Some(tls) => tls.clone().follow_files(stop.clone()).await,
            None => stop.cancelled().await,
        }
    });
    loop {
        tokio::select! {
            () = following.as_mut() => return Ok(()),
            Some(()) = hangups.recv() => {
                supervisor.reloading();
                if let Some(tls) = tls {
                    tls.reload();
                }
                supervisor.ready();
            },
        }
    }
}

/// Binds an address, which `flag` sets.
fn listen(config: &Config, address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let backlog = u32::try_from(config.limits.backlog.get()).unwrap_or(u32::MAX);
    bind(address, backlog).map_err(|error| {
        let hints = [
            (
                io::ErrorKind::AddrInUse,
                "another program uses this address; stop it, or choose another",
            ),
            (
                io::ErrorKind::PermissionDenied,
                "ports below 1024 require privileges; choose another",
            ),
            (io::ErrorKind::AddrNotAvailable, "this machine has no such address; choose another"),
        ];
        let hint = hints.into_iter().find(|(kind, _)| *kind == error.kind());
        let hint = hint.map_or("choose another", |(_, hint)| hint);
        Advice {
            message: format!("cannot listen on {address}"),
            hint: format!("{hint} address with {flag}"),
            source: Some(error.into()),
        }
        .into()
    })
}

/// If the process may open fewer files than connections, accepting fails instead of waiting.
fn warn_of_descriptor_limit(config: &Config, limit: Option<u64>) {
    let limits = &config.limits;
    let connections = limits.connections.get() + limits.live_readers.get();
    if limit.is_some_and(|limit| limit < connections as u64) {
        tracing::warn!(
            limit,
            connections,
            "the system allows fewer open files than `limits.connections` and \
             `limits.live_readers` together; raise the limit (`ulimit -n`, or LimitNOFILE= of \
             systemd) or lower the settings"
        );
    }
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

/// Registers as a node of the database, or opens and locks the data folder.
async fn open_store(
    config: &Config,
    accept_loss: bool,
) -> anyhow::Result<(Arc<dyn Store>, Secrets)> {
    if let Some(url) = &config.database_url {
        // First the secrets: a node with other secrets could not read those of the endpoints, and
        // its deliveries would fail.
        let secrets = secrets::open(config, false).await?;
        let opened = PostgresStore::open(settings::database(config, url)).await;
        return Ok((Arc::new(opened.map_err(failure::of_store)?), secrets));
    }
    let folder = config.data_dir.clone();
    let options = Options { accept_loss, ..settings::store(config) };
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&folder, &options));
    let store = Arc::new(opened.await?.map_err(failure::of_store)?);
    // First the store: a folder that another server has locked must not get new secrets.
    let secrets = secrets::open(config, store.has_secrets().await?).await?;
    Ok((store, secrets))
}

#[cfg(test)]
mod tests {
    use postrider_store::MemoryStore;

    use super::*;
    use crate::config::{Overrides, load};

    #[tokio::test]
    async fn a_panic_in_the_store_shuts_the_server_down_with_a_hint() {
        let set = vec!["listen=127.0.0.1:0".to_owned()];
        let config = load(&Overrides { set, ..Overrides::default() }).unwrap().config;
        let store = Arc::new(MemoryStore::default());
        let secrets = Secrets::for_tests();
        let listeners = Listeners::open(&config).unwrap();
        let clients = clients(&config, CommandRegistry::default()).unwrap();
        let traces = Traces { are_propagated: true, export: None };
        let node = Node::with_store(&config, listeners, (store.clone(), secrets), clients, traces)
            .await
            .unwrap();
        store.set_panicking(true);
        let error = Box::pin(node.run(Pages::default(), pending())).await.unwrap_err();
        assert!(
            format!("{error:#}").ends_with("stopped: the store was made to panic"),
            "{error:#}"
        );
        assert!(error.downcast_ref::<Advice>().unwrap().hint.contains("start the server again"));
    }
}
