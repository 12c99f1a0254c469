//! From a URL to connections.

use std::{
    pin::Pin,
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
use tokio_postgres::{
    AsyncMessage, Client, Config,
    config::{Host, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresOptions, obstacle::OpenError, tls::Wanted, trouble};
use crate::StoreError;

/// How long a connection to one host may take to be opened, unless the URL says otherwise.
const CONNECT: Duration = Duration::from_secs(5);

/// After so long without an answer a connection counts as dead.
const SILENCE: Duration = Duration::from_secs(10);

/// A transaction that does nothing for so long has lost its node, and must not keep its locks.
const IDLE: Duration = Duration::from_secs(5);

/// Where a URL leads to, without who goes there and how: what may be shown of it. None if it
/// is not valid.
pub fn database_location(url: &str) -> Option<String> {
    let (url, _) = take_tls(url);
    let config: Config = url.parse().ok()?;
    let ports = config.get_ports();
    let hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => folder.display().to_string(),
            }
        })
        .collect();
    let database = config.get_dbname().map(|it| format!("/{it}")).unwrap_or_default();
    Some(format!("postgres://{}{database}", hosts.join(",")))
}

/// Where the database is, and how connections to it are made.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
}

/// What arrives on a connection, as it is polled.
pub(super) type Messages = Box<
    dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, tokio_postgres::Error>>> + Send,
>;

impl Address {
    pub(super) fn of(options: &PostgresOptions) -> Result<Self, StoreError> {
        let invalid = |error| OpenError::Url(error).into_store_error();
        let (url, wanted) = take_tls(&options.url);
        let mut config: Config =
            url.parse().map_err(|error: tokio_postgres::Error| invalid(error.into()))?;
        let (mode, tls) = wanted.connector().map_err(invalid)?;
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
            // One of several is the primary, and a standby is of no use.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if !options.is_pooled {
            let settings = server_settings(options.call_timeout);
            // What the URL says wins, for it comes last.
            let said = config.get_options().map(|it| format!(" {it}")).unwrap_or_default();
            config.options(format!("{settings}{said}"));
        }
        Ok(Self { config, tls })
    }

    /// A connection that gives what arrives without having been asked for. It lives while its
    /// messages are polled.
    pub(super) async fn listen(&self) -> Result<(Client, Messages), StoreError> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, mut connection) = connected.map_err(trouble::translate)?;
        Ok((client, Box::new(move |ctx| connection.poll_message(ctx))))
    }

    /// A pool of at most so many connections, none of them opened yet. They all live on this
    /// runtime, and so end after those of other threads that use them.
    pub(super) fn pool(&self, options: &PostgresOptions) -> Result<Pool, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connect = OnRuntime { tls: self.tls.clone(), runtime: Handle::current() };
        let manager = Manager::from_connect(self.config.clone(), connect, recycling);
        Pool::builder(manager)
            .max_size(options.connections)
            .timeouts(self.timeouts(options.call_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| trouble::unavailable("the pool of connections cannot be made"))
    }

    /// Every host gets its time, so that one that cannot be reached does not hide the next. A
    /// server that hangs takes connections and says nothing, which has the same limit.
    fn timeouts(&self, wait: Duration) -> Timeouts {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1);
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT);
        Timeouts { wait: Some(wait), create: Some(each * hosts), recycle: Some(each) }
    }
}

impl std::fmt::Debug for Address {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

/// Makes the server end what nobody waits for any more, and go by indexes. The queue is empty at
/// one moment and has a million rows at the next; a plan that was made for the one, and kept,
/// must be good for the other. So what reads whole tables is the last resort, as is what reads all
/// that an endpoint has before it sorts it; and compiling plans, which their made-up costs would
/// ask for, is off.
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

/// Opens a connection and drives it, both on that runtime: the threads that use it may end.
async fn connect(config: Config, tls: MakeRustlsConnect, runtime: &Handle) -> Connected {
    let mut opening = JoinSet::new();
    opening.spawn_on(async move { config.connect(tls).await }, runtime);
    let Some(Ok(opened)) = opening.join_next().await else {
        // The runtime is going down, and with it whoever waits.
        return std::future::pending().await;
    };
    let (client, connection) = opened?;
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
    tls: MakeRustlsConnect,
    runtime: Handle,
}

impl Connect for OnRuntime {
    fn connect(&self, config: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        let config = config.clone();
        Box::pin(connect(config, self.tls.clone(), &self.runtime))
    }
}

/// Takes out of a URL what the driver does not know, or means differently from libpq.
fn take_tls(url: &str) -> (String, Wanted) {
    let mut wanted = Wanted::default();
    // The driver looks for parameters behind the first `@`.
    let start = url.find('@').unwrap_or_default();
    let question = url.char_indices().find(|(at, it)| *at >= start && *it == '?');
    let Some((place, params)) = question.and_then(|(at, _)| url.split_at_checked(at)) else {
        return (url.to_owned(), wanted);
    };
    let params = params.trim_start_matches('?');
    let mut rest = Vec::new();
    for param in params.split('&') {
        let (key, value) = param.split_once('=').unwrap_or((param, ""));
        let field = match key {
            "sslmode" => &mut wanted.mode,
            "sslrootcert" => &mut wanted.roots,
            "sslcert" => &mut wanted.certificate,
            "sslkey" => &mut wanted.key,
            _ => {
                rest.push(param);
                continue;
            },
        };
        *field = Some(decode(value));
    }
    let mark = if rest.is_empty() { "" } else { "?" };
    (format!("{place}{mark}{}", rest.join("&")), wanted)
}

/// Percent-decodes; what is not valid stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let code = code.filter(|_| first == b'%').and_then(|it| u8::from_str_radix(it, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> PostgresOptions {
        PostgresOptions { url: url.to_owned(), ..PostgresOptions::default() }
    }

    #[test]
    fn what_the_driver_does_not_know_is_taken_out_of_the_url() {
        let (url, wanted) = take_tls(
            "postgres://me:a?b@one,two:1/db?sslmode=verify-ca&application_name=x&\
             sslrootcert=%2Fetc%2Fmy%20root.crt",
        );
        assert_eq!(url, "postgres://me:a?b@one,two:1/db?application_name=x");
        assert_eq!(wanted.mode.as_deref(), Some("verify-ca"));
        assert_eq!(wanted.roots.as_deref(), Some("/etc/my root.crt"));
        assert_eq!(take_tls("postgres://db?sslmode=prefer").0, "postgres://db");
    }

    #[test]
    fn a_place_has_no_credentials() {
        for (url, expected) in [
            ("postgres://me:sesame@db/hooks?sslmode=verify-full", Some("postgres://db:5432/hooks")),
            ("postgres://db:1,db:2", Some("postgres://db:1,db:2")),
            ("postgres://[::1]:7/a", Some("postgres://[::1]:7/a")),
            ("postgres://me@%2Frun%2Fpg/a", Some("postgres:///run/pg/a")),
            ("postgres://db?password=sesame", Some("postgres://db:5432")),
            ("postgres://db?sesame", None),
        ] {
            assert_eq!(database_location(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn of_several_hosts_the_one_that_writes_is_taken() {
        let attributes =
            |url| Address::of(&options(url)).unwrap().config.get_target_session_attrs();
        assert_eq!(attributes("postgres://one/db"), TargetSessionAttrs::Any);
        assert_eq!(attributes("postgres://one,two/db"), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn a_pooler_is_told_nothing_that_outlives_a_transaction() {
        let of = |is_pooled| {
            let options = PostgresOptions { is_pooled, ..options("postgres://db?options=-cx%3D1") };
            Address::of(&options).unwrap().config.get_options().map(str::to_owned)
        };
        let said = of(false).unwrap();
        assert!(said.starts_with("-c statement_timeout=10000 "), "{said}");
        assert!(said.ends_with(" -cx=1"), "what the URL says wins: {said}");
        assert_eq!(of(true).as_deref(), Some("-cx=1"));
    }
}
