//! A connection to a Redis server, which many commands share.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use postrider_core::{kind::redis::RedisServer, outcome::Failure, target::Target};
use postrider_engine::{Guard, Peer};
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, aio::MultiplexedConnection,
};
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsConnector;

use super::classify;
use crate::{failed::Failed, shared::Connection};

/// Ports that are always allowed for this kind.
const PORTS: &[u16] = &[6379, 6380];

/// Commands that wait to be written, and bytes that are written at once.
const QUEUED_COMMANDS: usize = 2_000;
const WRITE_SIZE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct RedisConnection {
    commands: MultiplexedConnection,
    pub(super) address: Option<SocketAddr>,
    /// A response did not come in time, or the server cannot be used as it is. The connection is
    /// replaced, and the host resolved again.
    is_suspect: AtomicBool,
    driver: AbortHandle,
    /// Stops the driver when the connection is dropped.
    _tasks: JoinSet<()>,
}

impl Connection for RedisConnection {
    fn is_lost(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed) || self.driver.is_finished()
    }
}

impl RedisConnection {
    pub(super) async fn open(
        guard: &Guard,
        server: RedisServer<'_>,
        target: Option<&Target>,
    ) -> Result<Self, Failed> {
        let broker = &server.broker;
        let peer = Peer { host: &broker.host, port: broker.port, own_ports: PORTS };
        let (tcp, address) = guard.connect(peer, target).await?;
        let mut tasks = JoinSet::new();
        let (commands, driver) = if broker.is_tls {
            handshake(&server, tls(guard, &server, tcp).await?, &mut tasks).await?
        } else {
            handshake(&server, tcp, &mut tasks).await?
        };
        let is_suspect = AtomicBool::new(false);
        Ok(Self { commands, address: Some(address), is_suspect, driver, _tasks: tasks })
    }

    /// Sends a command and waits for the response.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failed> {
        let mut commands = self.commands.clone();
        let mut unanswered = Unanswered { is_suspect: &self.is_suspect, is_answered: false };
        let response = command.query_async(&mut commands).await;
        unanswered.is_answered = true;
        response.map_err(|error| {
            let failed = classify::error(&error);
            if !matches!(failed.failure, Failure::Busy | Failure::Rejected) {
                self.is_suspect.store(true, Ordering::Relaxed);
            }
            failed
        })
    }
}

/// Marks the connection if the wait for a response is given up: the server may be gone.
struct Unanswered<'a> {
    is_suspect: &'a AtomicBool,
    is_answered: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.is_suspect.store(true, Ordering::Relaxed);
        }
    }
}

async fn tls(
    guard: &Guard,
    server: &RedisServer<'_>,
    tcp: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Failed> {
    let config = guard.tls(server.trusted)?;
    let name = ServerName::try_from(server.broker.name().to_owned())
        .map_err(|_| Failed::misconfigured("the host cannot be in a certificate; correct `url`"))?;
    let connected = TlsConnector::from(config).connect(name, tcp).await;
    connected.map_err(|error| {
        Failed::new(Failure::Tls, format!("TLS with the Redis server failed: {error}"))
    })
}

/// Authenticates, and begins to exchange commands in a task.
async fn handshake<S>(
    server: &RedisServer<'_>,
    stream: S,
    tasks: &mut JoinSet<()>,
) -> Result<(MultiplexedConnection, AbortHandle), Failed>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut info = RedisConnectionInfo::default().set_db(server.database);
    if let Some(user) = &server.broker.user {
        info = info.set_username(user);
    }
    if let Some(password) = &server.broker.password {
        info = info.set_password(password.reveal());
    }
    let config = AsyncConnectionConfig::new()
        // Deliveries have a time limit of their own.
        .set_response_timeout(None::<Duration>)
        .set_pipeline_buffer_size(QUEUED_COMMANDS)
        .set_write_backpressure_boundary(WRITE_SIZE);
    let opened = MultiplexedConnection::new_with_config(&info, stream, config).await;
    let (commands, driver) = opened.map_err(|error| classify::error(&error))?;
    Ok((commands, tasks.spawn(driver)))
}
