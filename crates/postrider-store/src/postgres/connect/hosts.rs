//! The hosts of a URL: connections go to the one that accepts writes, and do not wait for the
//! others.
//!
//! The driver tries one host after the other. A machine that is gone would delay every new
//! connection by its time limit, and a server that hangs would never let it reach the next one. So
//! each host gets a head start of a moment, and the one of the last connection is first.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_postgres::{
    Client, Config, Connection, Error, Socket,
    config::{Host, LoadBalanceHosts},
    tls::MakeTlsConnect,
};

use super::handshake::Tls;

/// How long the attempt at one host runs before the one at the next host begins.
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection that has to be driven.
pub(super) type Opened = (Client, Connection<Socket, <Tls as MakeTlsConnect<Socket>>::Stream>);

#[derive(Debug)]
pub(super) struct Hosts {
    /// The configuration of each host.
    each: Vec<Config>,
    /// The host of the last connection.
    preferred: AtomicUsize,
}

impl Hosts {
    pub(super) fn of(config: &Config) -> Self {
        let count = config.get_hosts().len();
        // Addresses beside the hosts are rare, and hosts in random order are a wish to be kept:
        // both are left to the driver.
        let is_ordered = config.get_load_balance_hosts() == LoadBalanceHosts::Disable;
        let can_split = count > 1 && is_ordered && config.get_hostaddrs().is_empty();
        let each = if can_split {
            (0..count).map(|host| only(config, host)).collect()
        } else {
            Vec::new()
        };
        let each = if each.is_empty() { vec![config.clone()] } else { each };
        Self { each, preferred: AtomicUsize::new(0) }
    }

    /// How long it takes until the attempts at all hosts have begun.
    pub(super) fn head_starts(&self) -> Duration {
        HEAD_START * u32::try_from(self.each.len() - 1).unwrap_or(u32::MAX)
    }

    /// Connects to the first host that responds and has the properties that the URL asks for.
    pub(super) async fn connect(&self, tls: &Tls) -> Result<Opened, Error> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut attempts: FuturesUnordered<_> = (0_u32..)
            .zip(0..self.each.len())
            .map(|(turn, offset)| {
                let host = (first + offset) % self.each.len();
                async move {
                    tokio::time::sleep(HEAD_START * turn).await;
                    (host, self.each[host].connect(tls.clone()).await)
                }
            })
            .collect();
        let mut refused = None;
        while let Some((host, attempt)) = attempts.next().await {
            match attempt {
                Ok(opened) => {
                    self.preferred.store(host, Ordering::Relaxed);
                    return Ok(opened);
                },
                Err(error) => refused = Some(clearer(refused, error)),
            }
        }
        Err(refused.expect("there is at least one host"))
    }
}

/// The error that says more: what a server responded, or else the last one.
fn clearer(before: Option<Error>, error: Error) -> Error {
    before.filter(|it| it.code().is_some() && error.code().is_none()).unwrap_or(error)
}

/// The configuration with one of its hosts.
fn only(config: &Config, host: usize) -> Config {
    let mut one = Config::new();
    match &config.get_hosts()[host] {
        Host::Tcp(name) => one.host(name),
        Host::Unix(folder) => one.host_path(folder),
    };
    let ports = config.get_ports();
    if let Some(port) = ports.get(host).or(ports.first()) {
        one.port(*port);
    }
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    let text = |value: Option<&str>| value.map(str::to_owned);
    text(config.get_user()).map(|it| one.user(it));
    config.get_password().map(|it| one.password(it));
    text(config.get_dbname()).map(|it| one.dbname(it));
    text(config.get_options()).map(|it| one.options(it));
    text(config.get_application_name()).map(|it| one.application_name(it));
    config.get_connect_timeout().map(|it| one.connect_timeout(*it));
    config.get_tcp_user_timeout().map(|it| one.tcp_user_timeout(*it));
    config.get_keepalives_interval().map(|it| one.keepalives_interval(it));
    config.get_keepalives_retries().map(|it| one.keepalives_retries(it));
    one
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicU32};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    use super::*;
    use crate::postgres::{connect::Address, options::PostgresOptions};

    #[derive(Clone, Copy)]
    enum Kind {
        Primary,
        Standby,
        /// Accepts connections and never responds.
        Silent,
    }

    /// Servers that say only whether they accept writes, and count their connections.
    struct Servers {
        ports: Vec<u16>,
        counts: Vec<Arc<AtomicU32>>,
        _tasks: JoinSet<()>,
    }

    impl Servers {
        async fn start(kinds: &[Kind]) -> Self {
            let (mut ports, mut counts, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
            for kind in kinds.iter().copied() {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                ports.push(listener.local_addr().unwrap().port());
                let count = Arc::<AtomicU32>::default();
                counts.push(Arc::clone(&count));
                tasks.spawn(async move {
                    let mut connections = JoinSet::new();
                    loop {
                        let (socket, _) = listener.accept().await.unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(serve(socket, kind));
                    }
                });
            }
            Self { ports, counts, _tasks: tasks }
        }

        fn url(&self) -> String {
            let hosts: Vec<_> = self.ports.iter().map(|it| format!("127.0.0.1:{it}")).collect();
            format!("postgres://me@{}/db?sslmode=disable", hosts.join(","))
        }

        fn counts(&self) -> Vec<u32> {
            self.counts.iter().map(|it| it.load(Ordering::Relaxed)).collect()
        }
    }

    async fn serve(mut socket: TcpStream, kind: Kind) {
        let is_read_only: &[u8] = match kind {
            Kind::Primary => b"D\0\0\0\x0d\0\x01\0\0\0\x03off",
            Kind::Standby => b"D\0\0\0\x0c\0\x01\0\0\0\x02on",
            Kind::Silent => return std::future::pending().await,
        };
        let column = b"T\0\0\0\x1a\0\x01x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        let ready = b"Z\0\0\0\x05I";
        let welcome = [&b"R\0\0\0\x08\0\0\0\0"[..], ready].concat();
        let row = [&column[..], is_read_only, b"C\0\0\0\x09SHOW\0", ready].concat();
        let mut buffer = [0; 4_096];
        for response in [&welcome, &row] {
            let _received = socket.read(&mut buffer).await;
            let _sent = socket.write_all(response).await;
        }
        // Open until the client closes it.
        let _closed = socket.read(&mut buffer).await;
    }

    fn address(servers: &Servers) -> Address {
        let options = PostgresOptions { url: servers.url(), ..PostgresOptions::default() };
        Address::of(&options).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_hangs_or_does_not_accept_writes_does_not_hide_the_primary() {
        for other in [Kind::Silent, Kind::Standby] {
            let servers = Servers::start(&[other, Kind::Primary]).await;
            drop(address(&servers).listen().await.unwrap());
            assert_eq!(servers.counts(), [1, 1]);
        }
    }

    #[tokio::test]
    async fn the_host_of_the_last_connection_is_tried_first() {
        let servers = Servers::start(&[Kind::Standby, Kind::Standby, Kind::Primary]).await;
        let address = address(&servers);
        for _ in 0..3 {
            drop(address.listen().await.unwrap());
        }
        assert_eq!(servers.counts(), [1, 1, 3]);
    }

    #[tokio::test]
    async fn standbys_alone_are_refused() {
        let servers = Servers::start(&[Kind::Standby, Kind::Standby]).await;
        assert!(address(&servers).listen().await.is_err());
        assert_eq!(servers.counts(), [1, 1]);
    }

    #[test]
    fn each_host_has_all_settings_of_the_url() {
        let url = "postgres://me:it@one:1,two:2/db?connect_timeout=3&tcp_user_timeout=4&\
                   keepalives_idle=5&keepalives_interval=6&keepalives_retries=7&options=-cx%3D1&\
                   application_name=me&target_session_attrs=read-write&channel_binding=disable";
        let config: Config = url.parse().unwrap();
        let split = Hosts::of(&config);
        let shown = |config: &Config| format!("{config:?}");
        for (host, expected) in ["one:1", "two:2"].into_iter().zip(&split.each) {
            let alone: Config = url.replace("one:1,two:2", host).parse().unwrap();
            assert_eq!(shown(expected), shown(&alone));
            assert_eq!(expected.get_password(), config.get_password());
        }
    }
}
