//! Connections to the database: where it is, how they are opened, and which settings they have.

mod explain;
mod handshake;
mod hosts;
mod tls;
mod url;
mod verifier;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use deadpool_postgres::{
    Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio::{
    runtime::Handle,
    task::{JoinHandle, JoinSet},
};
use tokio_postgres::{AsyncMessage, Client, Config, config::TargetSessionAttrs};

pub use self::url::database_location;
use self::{
    handshake::Tls,
    hosts::{Hosts, Opened},
};
use super::{
    error::{DatabaseError, OpenError},
    options::PostgresOptions,
};

/// How long a connection to one host may take to be opened, unless the URL says otherwise.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection is dead when the server has not responded for this long.
const SILENCE: Duration = Duration::from_secs(10);

/// The server ends a transaction that is idle for this long: its node is gone, and must not keep
/// locks.
const IDLE: Duration = Duration::from_secs(5);

/// Where the database is, and how connections to it are made.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    hosts: Arc<Hosts>,
    tls: Tls,
    /// The URL without credentials.
    location: String,
}

/// Polls a connection for messages of the server.
pub(super) type Messages = Box<
    dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send,
>;

impl Address {
    pub(super) fn of(options: &PostgresOptions) -> Result<Self, DatabaseError> {
        let invalid = |error| DatabaseError::from(OpenError::Url(error));
        let (url, settings) = url::split_tls(&options.url);
        let mut config: Config =
            url.parse().map_err(|error: tokio_postgres::Error| invalid(error.into()))?;
        let (mode, tls) = settings.connector().map_err(invalid)?;
        config.ssl_mode(mode);
        if config.get_application_name().is_none() {
            config.application_name("postrider");
        }
        config.keepalives_idle(SILENCE);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT.min(options.call_timeout));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let any = config.get_target_session_attrs() == TargetSessionAttrs::Any;
        if config.get_hosts().len() > 1 && any {
            // One of them is the primary; a standby cannot write.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if !options.is_pooled {
            let settings = server_settings(options.call_timeout);
            // Of two settings the last one counts, so the URL's come behind ours.
            let of_url = config.get_options().map(|it| format!(" {it}")).unwrap_or_default();
            config.options(format!("{settings}{of_url}"));
        }
        let location = database_location(&options.url).unwrap_or_default();
        let hosts = Arc::new(Hosts::of(&config));
        Ok(Self { config, hosts, tls, location })
    }

    /// Opens a connection that receives notifications. It is open while its messages are polled.
    pub(super) async fn listen(&self) -> Result<(Client, Messages), DatabaseError> {
        let opened = tokio::time::timeout(self.connect_limit(), self.hosts.connect(&self.tls));
        let no_response = |_| DatabaseError::unavailable("the database did not respond in time");
        let (client, mut connection) = opened.await.map_err(no_response)??;
        Ok((client, Box::new(move |ctx| connection.poll_message(ctx))))
    }

    /// Creates a pool without opening a connection. All its connections run on the current runtime,
    /// because the threads that use them may end before it.
    pub(super) fn pool(&self, options: &PostgresOptions) -> Result<Pool, DatabaseError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (hosts, tls) = (Arc::clone(&self.hosts), self.tls.clone());
        let connect = OnRuntime { hosts, tls, runtime: Handle::current() };
        let manager = Manager::from_connect(self.config.clone(), connect, recycling);
        Pool::builder(manager)
            .max_size(options.connections)
            .timeouts(self.timeouts(options.call_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| DatabaseError::unavailable("the connection pool cannot be created"))
    }

    /// Time limit for opening a connection, which also applies to a server that hangs: it accepts
    /// connections and never responds.
    fn connect_limit(&self) -> Duration {
        self.host_limit() + self.hosts.head_starts()
    }

    fn host_limit(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT)
    }

    fn timeouts(&self, wait: Duration) -> Timeouts {
        let (create, recycle) = (Some(self.connect_limit()), Some(self.host_limit()));
        Timeouts { wait: Some(wait), create, recycle }
    }
}

impl std::fmt::Debug for Address {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// Settings of every connection: the server ends abandoned statements, and prefers indexes.
///
/// The queue can be empty at one moment and have a million rows at the next, and a plan that was
/// made for the empty queue is kept. It must be good for the full one, so plans that read whole
/// tables, or all rows of an endpoint in order to sort them, are a last resort. These switches
/// inflate the costs of plans, which would trigger JIT compilation; therefore it is off.
pub(super) fn server_settings(call_timeout: Duration) -> String {
    format!(
        "-c statement_timeout={} -c idle_in_transaction_session_timeout={} \
         -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off \
         -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off",
        call_timeout.as_millis().max(1),
        IDLE.as_millis(),
    )
}

type Connected = Result<(Client, JoinHandle<()>), tokio_postgres::Error>;

/// Opens a connection and drives it, both on this runtime: the threads that use it may end before.
async fn connect(hosts: Arc<Hosts>, tls: Tls, runtime: &Handle) -> Connected {
    let mut opening = JoinSet::new();
    opening.spawn_on(async move { hosts.connect(&tls).await }, runtime);
    let Some(Ok(opened)) = opening.join_next().await else {
        // The runtime is shutting down, and this task with it.
        return std::future::pending().await;
    };
    let (client, connection): Opened = opened?;
    let task = runtime.spawn(async move {
        if let Err(error) = connection.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "a connection to the database was lost");
        }
    });
    Ok((client, task))
}

#[derive(Clone)]
struct OnRuntime {
    hosts: Arc<Hosts>,
    tls: Tls,
    runtime: Handle,
}

impl Connect for OnRuntime {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        Box::pin(connect(Arc::clone(&self.hosts), self.tls.clone(), &self.runtime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> PostgresOptions {
        PostgresOptions { url: url.to_owned(), ..PostgresOptions::default() }
    }

    #[test]
    fn with_several_hosts_the_primary_is_selected() {
        let attributes =
            |url| Address::of(&options(url)).unwrap().config.get_target_session_attrs();
        assert_eq!(attributes("postgres://one/db"), TargetSessionAttrs::Any);
        assert_eq!(attributes("postgres://one,two/db"), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn a_pooled_connection_has_no_settings_that_outlive_a_transaction() {
        let of = |is_pooled| {
            let options = PostgresOptions { is_pooled, ..options("postgres://db?options=-cx%3D1") };
            Address::of(&options).unwrap().config.get_options().map(str::to_owned)
        };
        let settings = of(false).unwrap();
        assert!(settings.starts_with("-c statement_timeout=10000 "), "{settings}");
        assert!(settings.ends_with(" -cx=1"), "the URL overrides ours: {settings}");
        assert_eq!(of(true).as_deref(), Some("-cx=1"));
    }
}
