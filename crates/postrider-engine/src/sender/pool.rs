//! Keeps idle connections for the next call to the same receiver.
//!
//! `hyper-util` has a pool too (feature `client-pool`, looked at in version 0.1.21). It was not used,
//! because its building blocks leave out what matters here:
//!
//! - Its map and cache have no limit on the number of idle connections and no idle timeout. The
//!   owner has to call `retain` on each of them, with a timestamp kept in the service.
//! - A cached service does not tell whether it was used before. Only then may a request be sent
//!   again after the connection broke, because the receiver most likely closed it while idle.
//! - It starts to connect even while an idle connection becomes available, and keeps the winner.
//!   Every connection here is preceded by a lookup and an address check, which should not be
//!   wasted.
//! - HTTP/1 needs its cache and HTTP/2 its singleton. The choice follows from ALPN, so a third
//!   layer has to negotiate it. Here both are in one list.
//! - Its types cannot be named, so the sender would have to box its futures for each call.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use postrider_core::{hash::FastMap, request::Prepared};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use url::Url;

use super::{http::recorder::Recorder, receive_budget::ReceiveBudget};

/// How long a connection may take to close after its last use. A receiver that does not read could
/// otherwise keep it open forever.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which calls may share a connection: those with the same scheme, host, port, trusted certificates
/// and client certificate, on the same thread. The thread that opened a connection also waits for
/// its socket; a call on another one would wake it up for each byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    is_tls: bool,
    host: String,
    port: u16,
    trusted: Option<Arc<str>>,
    /// The id of the client certificate. A receiver knows a client by its connection.
    identity: Option<[u8; 32]>,
    thread: ThreadId,
}

impl PoolKey {
    pub(super) fn of(prepared: &Prepared) -> Self {
        let identity = prepared.identity.as_ref().map(|it| it.id);
        Self { identity, ..Self::new(&prepared.url, prepared.trusted.clone()) }
    }

    pub(super) fn new(url: &Url, trusted: Option<Arc<str>>) -> Self {
        Self {
            is_tls: url.scheme() == "https",
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or(0),
            trusted,
            identity: None,
            thread: thread::current().id(),
        }
    }
}

/// A connection that a request can be sent on.
#[derive(Debug)]
pub(super) struct Connection {
    pub address: SocketAddr,
    pub protocol: Protocol,
    pub budget: ReceiveBudget,
    pub open: ConnectionGuard,
}

/// Keeps a connection open. When the last guard is dropped, the connection is closed.
#[derive(Clone, Debug)]
pub(super) struct ConnectionGuard {
    _sender: mpsc::Sender<std::convert::Infallible>,
}

#[derive(Debug)]
pub(super) enum Protocol {
    Http1(http1::SendRequest<Full<Bytes>>, Recorder),
    /// Can be shared by several calls.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Idle connections, limited in number and age.
#[derive(Debug)]
pub(super) struct Pool {
    max: usize,
    idle_for: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: FastMap<PoolKey, Vec<Idle>>,
    count: usize,
    /// The tasks that drive the connections.
    tasks: JoinSet<()>,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(max: usize, idle_for: Duration) -> Self {
        Self { max, idle_for, state: Mutex::default() }
    }

    /// An open connection, the most recently used one first.
    pub(super) fn take(&self, key: &PoolKey) -> Option<Connection> {
        let mut state = self.lock();
        let State { idle, count, .. } = &mut *state;
        let idle = idle.get_mut(key)?;
        while let Some(it) = idle.pop() {
            let is_usable = it.connection.is_ready() && it.since.elapsed() <= self.idle_for;
            if is_usable && let Protocol::Http2(sender) = &it.connection.protocol {
                // It stays in the pool, because other calls can use it at the same time.
                let connection = it.connection.shared(sender.clone());
                idle.push(Idle { since: Instant::now(), ..it });
                return Some(connection);
            }
            *count -= 1;
            if is_usable {
                return Some(it.connection);
            }
        }
        None
    }

    /// Connections that are kept.
    pub(super) fn idle_connections(&self) -> usize {
        self.lock().count
    }

    /// Keeps a connection for the next call, unless there are too many.
    pub(super) fn put(&self, key: &PoolKey, connection: Connection) {
        let mut state = self.lock();
        state.sweep(self.idle_for);
        if state.count >= self.max || connection.is_closed() {
            return;
        }
        state.count += 1;
        let idle = Idle { connection, since: Instant::now() };
        match state.idle.get_mut(key) {
            Some(key) => key.push(idle),
            None => {
                state.idle.insert(key.clone(), vec![idle]);
            },
        }
    }

    /// Runs a connection's task until its last guard is dropped, and a little longer if closing
    /// takes time.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> ConnectionGuard {
        let (sender, mut dropped) = mpsc::channel(1);
        let closing = async move {
            dropped.recv().await;
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        };
        let mut state = self.lock();
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = task => {},
                () = closing => {},
            }
        });
        ConnectionGuard { _sender: sender }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// From time to time closes connections that have been idle for too long.
    fn sweep(&mut self, idle_for: Duration) {
        let now = Instant::now();
        if self.swept_at.is_some_and(|at| now - at < idle_for / 4) {
            return;
        }
        self.swept_at = Some(now);
        for idle in self.idle.values_mut() {
            idle.retain(|it| now - it.since <= idle_for && !it.connection.is_closed());
        }
        self.idle.retain(|_, idle| !idle.is_empty());
        self.count = self.idle.values().map(Vec::len).sum();
    }
}

impl Connection {
    /// The same connection, for another call in parallel.
    pub(super) fn shared(&self, sender: http2::SendRequest<Full<Bytes>>) -> Self {
        let (budget, open) = (self.budget.clone(), self.open.clone());
        Self { address: self.address, protocol: Protocol::Http2(sender), budget, open }
    }

    fn is_closed(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(sender, _) => sender.is_closed(),
            Protocol::Http2(sender) => sender.is_closed(),
        }
    }

    /// Whether a request can be sent now. A receiver may respond before it has read the whole
    /// request; then the connection is still busy, or closed.
    fn is_ready(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(sender, _) => sender.is_ready(),
            Protocol::Http2(sender) => !sender.is_closed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_close_is_dropped() {
        let pool = Pool::new(1, Duration::from_secs(60));
        let began = Instant::now();
        let (ended, mut waits) = tokio::sync::oneshot::channel::<()>();
        let open = pool.spawn(async move {
            let _ended = ended;
            std::future::pending::<()>().await;
        });
        let other = open.clone();
        drop(open);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(waits.try_recv(), Err(TryRecvError::Empty), "a call still uses it");
        drop(other);
        waits.await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(3_600) + CLOSE_TIMEOUT);
    }
}
