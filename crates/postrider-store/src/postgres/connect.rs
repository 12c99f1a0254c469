//! From a URL to a pool of connections.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::{Config, NoTls, config::Host};

use super::{PostgresOptions, trouble};
use crate::StoreError;

/// How long a connection may take to be opened.
const CONNECT: Duration = Duration::from_secs(5);

/// After so long without an answer a connection counts as dead.
const SILENCE: Duration = Duration::from_secs(10);

/// Where a URL leads to, without who goes there and how: what may be shown of it. None if it
/// is not valid.
pub fn place(url: &str) -> Option<String> {
    let config: Config = url.parse().ok()?;
    let hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let port = config.get_ports().get(index).copied().unwrap_or(5432);
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

/// What the URL says, with what we want of every connection.
pub(super) fn config(options: &PostgresOptions) -> Result<Config, StoreError> {
    let mut config: Config = options
        .url
        .parse()
        .map_err(|error: tokio_postgres::Error| StoreError::Unavailable(error.into()))?;
    config.application_name("postrider");
    config.connect_timeout(CONNECT);
    config.keepalives_idle(SILENCE);
    config.tcp_user_timeout(SILENCE);
    Ok(config)
}

/// A pool of at most so many connections, none of them opened yet.
pub(super) fn pool(
    config: Config,
    size: usize,
    options: &PostgresOptions,
) -> Result<Pool, StoreError> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, recycling);
    let timeouts = Timeouts {
        wait: Some(options.call_timeout),
        create: Some(CONNECT),
        recycle: Some(CONNECT),
    };
    Pool::builder(manager)
        .max_size(size)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|_| trouble::unavailable("the pool of connections cannot be made"))
}
