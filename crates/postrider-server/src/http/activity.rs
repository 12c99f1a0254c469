//! What a connection is doing: requests in progress, bytes that are not written yet, and whether
//! its client has sent a valid token.
//!
//! Requests and response bodies report it with atomics, and the registry reads it without stopping
//! them. A value that is outdated by a moment only makes a decision a moment older.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use postrider_core::connections::{
    ConnectionAction, ConnectionPhase, EvictionCandidate, NEW_CONNECTION_GRACE,
};
use tokio::{sync::watch, time::Instant};

/// What a connection is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    /// The network of the client.
    pub(super) network: IpAddr,
    /// It was accepted when only the reserved connections were left.
    pub(super) is_reserved: bool,
    epoch: Instant,
    opened_at: Duration,
    has_asked: AtomicBool,
    requests: AtomicUsize,
    /// When the last request ended, in milliseconds since the epoch.
    idle_since: AtomicU64,
    /// Bytes of responses that are not written yet, and bytes that were.
    unsent: AtomicUsize,
    sent: AtomicU64,
    is_authenticated: AtomicBool,
    /// Another protocol, such as WebSocket, uses the socket.
    is_upgraded: AtomicBool,
    /// Streams of `live` endpoints on this connection.
    streams: AtomicUsize,
    /// Connections with such streams.
    streaming: Arc<AtomicUsize>,
    action: watch::Sender<ConnectionAction>,
}

impl Activity {
    /// A connection that is opened now. All times count from the epoch, the same for all
    /// connections, and so does `streaming`, the number of connections with streams.
    pub(super) fn new(
        network: IpAddr,
        is_reserved: bool,
        epoch: Instant,
        streaming: Arc<AtomicUsize>,
    ) -> Arc<Self> {
        Arc::new(Self {
            network,
            is_reserved,
            epoch,
            opened_at: epoch.elapsed(),
            has_asked: AtomicBool::default(),
            requests: AtomicUsize::default(),
            idle_since: AtomicU64::default(),
            unsent: AtomicUsize::default(),
            sent: AtomicU64::default(),
            is_authenticated: AtomicBool::default(),
            is_upgraded: AtomicBool::default(),
            streams: AtomicUsize::default(),
            streaming,
            action: watch::Sender::new(ConnectionAction::Keep),
        })
    }

    pub(super) const fn opened_at(&self) -> Duration {
        self.opened_at
    }

    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Relaxed)
    }

    /// When the last request ended, if none is in progress.
    pub(super) fn idle_since(&self) -> Option<Duration> {
        let is_busy = self.requests.load(Relaxed) > 0 || self.unsent.load(Relaxed) > 0;
        (!is_busy).then(|| Duration::from_millis(self.idle_since.load(Relaxed)))
    }

    /// Bytes that were written, if others are not written yet.
    pub(super) fn sent_if_unsent(&self) -> Option<u64> {
        (self.unsent.load(Relaxed) > 0).then(|| self.sent.load(Relaxed))
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.is_upgraded.load(Relaxed)
    }

    pub(super) fn upgrade(&self) {
        self.is_upgraded.store(true, Relaxed);
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.is_authenticated.load(Relaxed)
    }

    /// A request on the connection had a valid token.
    pub(crate) fn authenticate(&self) {
        self.is_authenticated.store(true, Relaxed);
    }

    /// Requests an action of the connection's task.
    pub(super) fn request(&self, action: ConnectionAction) {
        self.action.send_replace(action);
    }

    pub(crate) fn actions(&self) -> watch::Receiver<ConnectionAction> {
        self.action.subscribe()
    }

    /// What decides about its eviction; none if it cannot be evicted.
    pub(super) fn info(&self, now: Duration) -> Option<EvictionCandidate> {
        if self.is_upgraded() {
            return None;
        }
        let (phase, since) = match self.idle_since() {
            None => (ConnectionPhase::Busy, self.opened_at),
            Some(since) if self.has_asked() => (ConnectionPhase::Idle, since),
            Some(_) if now.saturating_sub(self.opened_at) < NEW_CONNECTION_GRACE => {
                (ConnectionPhase::New, self.opened_at)
            },
            Some(_) => (ConnectionPhase::Idle, self.opened_at),
        };
        let is_authenticated = self.is_authenticated();
        Some(EvictionCandidate { network: self.network, is_authenticated, phase, since })
    }
}

/// A stream of a `live` endpoint. While a connection has one, it counts as a reader and not as a
/// connection: readers have a limit of their own, and must not shut out the clients of the API.
#[derive(Debug)]
pub(crate) struct StreamGuard(Arc<Activity>);

impl StreamGuard {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        if activity.streams.fetch_add(1, Relaxed) == 0 {
            activity.streaming.fetch_add(1, Relaxed);
        }
        Self(Arc::clone(activity))
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        if self.0.streams.fetch_sub(1, Relaxed) == 1 {
            self.0.streaming.fetch_sub(1, Relaxed);
        }
    }
}

/// A request in progress, from its head until the end of its response was passed to hyper.
#[derive(Debug)]
pub(super) struct InProgress(pub(super) Arc<Activity>);

impl InProgress {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.has_asked.store(true, Relaxed);
        activity.requests.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        // In this order: a connection that is seen idle has a current time.
        self.0.touch();
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

impl Activity {
    fn touch(&self) {
        let millis = self.epoch.elapsed().as_millis();
        self.idle_since.store(u64::try_from(millis).unwrap_or(u64::MAX), Relaxed);
    }

    /// Bytes of a response were passed to hyper.
    pub(super) fn add_unsent(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Relaxed);
    }

    /// Bytes of a response were written, or never will be.
    pub(super) fn remove_unsent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
        if self.unsent.fetch_sub(bytes, Relaxed) == bytes {
            self.touch();
        }
    }
}
