//! The open connections: limits their number, evicts some for new ones, and enforces timeouts.
//! `postrider_core::connections` decides; this file applies the decisions.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use postrider_core::{
    connections::{
        self, ConnectionAction, ConnectionPhase, ConnectionState, ConnectionTimeouts, network,
    },
    data_rate::MinDataRate,
};
use tokio::{sync::Notify, time::Instant};

use super::activity::Activity;
use crate::settings::Serving;

/// An eviction closes this fraction of all connections. It looks at all of them, which would be too
/// expensive for each connection of a flood.
const EVICTED_FRACTION: usize = 256;

/// The same for the connections of one client.
const EVICTED_FRACTION_OF_CLIENT: usize = 64;

/// After an eviction that found none to close, the next one has to wait for this.
const EVICTION_PAUSE: Duration = Duration::from_millis(50);

/// The open connections.
#[derive(Debug)]
pub(super) struct Registry {
    serving: Serving,
    timeouts: ConnectionTimeouts,
    epoch: Instant,
    open: Mutex<OpenConnections>,
    /// Connections with streams of `live` endpoints. They are not among those that
    /// `limits.connections` limits.
    streaming: Arc<AtomicUsize>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct OpenConnections {
    total: usize,
    last_id: u64,
    /// No eviction before this.
    evictions_paused_until: Duration,
    networks: HashMap<IpAddr, HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    /// Since when responses are unsent, and the bytes that had been written by then.
    reading: Option<(Duration, u64)>,
    ending_since: Option<Duration>,
}

/// The right to have one connection; dropping it frees the right for another one.
#[derive(Debug)]
pub(super) struct Slot {
    registry: Arc<Registry>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

/// Whether a new connection is admitted.
enum Admission {
    Admitted(Slot),
    /// The client has too many connections.
    Refused,
    /// No connection can be evicted now.
    Full,
}

impl Registry {
    pub(super) fn new(serving: &Serving) -> Arc<Self> {
        let limits = &serving.limits;
        let timeouts = ConnectionTimeouts {
            opening: limits.header_timeout,
            idle: limits.connection_idle_timeout,
            age: limits.connection_max_age,
            reading: MinDataRate {
                grace_period: limits.write_timeout,
                bytes_per_second: limits.min_transfer_rate,
            },
        };
        Arc::new(Self {
            serving: serving.clone(),
            timeouts,
            epoch: Instant::now(),
            open: Mutex::default(),
            streaming: Arc::default(),
            freed: Notify::new(),
        })
    }

    /// How often to call [`Registry::sweep`].
    pub(super) fn period(&self) -> Duration {
        let ConnectionTimeouts { opening, idle, age, reading } = self.timeouts;
        let shortest = opening.min(idle).min(age / 4).min(reading.grace_period);
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// Waits for a slot for a connection of this peer; none if the client has too many.
    pub(super) async fn acquire(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        loop {
            // Before the attempt, so that a slot that is freed in between is noticed.
            let freed = self.freed.notified();
            match self.try_acquire(peer) {
                Admission::Admitted(slot) => return Some(slot),
                Admission::Refused => return None,
                Admission::Full => freed.await,
            }
        }
    }

    /// Whether a new connection may have to wait.
    pub(super) fn is_full(&self) -> bool {
        self.counted(&self.open()) >= self.serving.limits.connections
    }

    /// The number of connections that are not streams. A stream that has just ended may be missing
    /// in one of the two numbers for a moment.
    fn counted(&self, open: &OpenConnections) -> usize {
        open.total.saturating_sub(self.streaming.load(Ordering::Relaxed))
    }

    fn try_acquire(self: &Arc<Self>, peer: IpAddr) -> Admission {
        let limits = &self.serving.limits;
        let now = self.epoch.elapsed();
        let client = network(peer);
        let mut open = self.open();
        if !self.is_proxy(client) && open.count(client) >= limits.connections_per_address {
            let batch = limits.connections_per_address.div_ceil(EVICTED_FRACTION_OF_CLIENT);
            let candidates = open.candidates(Some(client));
            if open.evict(candidates, batch, ConnectionPhase::New, now) == 0 {
                tracing::debug!(%peer, "connection was refused (limits.connections_per_address)");
                return Admission::Refused;
            }
        }
        let reserved = limits.reserved_connections.min(limits.connections / 2);
        let general = limits.connections - reserved;
        let batch = limits.connections.div_ceil(EVICTED_FRACTION);
        // Only the reserve is left: evict now, even busy connections, so that the reserve stays free
        // for health checks and for clients with a token.
        if self.counted(&open) >= general && now >= open.evictions_paused_until {
            let candidates = open.candidates(None);
            if open.evict(candidates, batch, ConnectionPhase::Busy, now) == 0 {
                open.evictions_paused_until = now + EVICTION_PAUSE;
            }
        }
        if self.counted(&open) >= limits.connections {
            let candidates = open.candidates(None);
            if open.evict(candidates, batch, ConnectionPhase::New, now) == 0 {
                return Admission::Full;
            }
        }
        let is_reserved = self.counted(&open) >= general;
        let streaming = Arc::clone(&self.streaming);
        let activity = Activity::new(client, is_reserved, self.epoch, streaming);
        let id = open.add(Arc::clone(&activity));
        Admission::Admitted(Slot { registry: Arc::clone(self), id, activity })
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let contains = |network: &IpNet| network.contains(&address);
        self.serving.trusted_proxies.iter().any(contains)
    }

    /// Closes the connections that have reached a timeout.
    pub(super) fn sweep(&self) {
        let now = self.epoch.elapsed();
        let mut open = self.open();
        for entry in open.networks.values_mut().flat_map(HashMap::values_mut) {
            if entry.activity.is_upgraded() {
                continue;
            }
            match connections::next_action(&self.timeouts, &entry.state(now), now) {
                ConnectionAction::Keep => {},
                ConnectionAction::Finish if entry.ending_since.is_some() => {},
                action @ (ConnectionAction::Finish | ConnectionAction::Close(_)) => {
                    entry.ending_since.get_or_insert(now);
                    entry.activity.request(action);
                },
            }
        }
    }

    /// Closes all connections after their requests in progress.
    pub(super) fn finish(&self) {
        let open = self.open();
        open.networks.values().flat_map(HashMap::values).for_each(|entry| {
            entry.activity.request(ConnectionAction::Finish);
        });
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn state(&mut self, now: Duration) -> ConnectionState {
        let activity = &self.activity;
        let sent = activity.sent_if_unsent();
        self.reading = sent.map(|sent| self.reading.unwrap_or((now, sent)));
        let reading = self.reading.zip(sent);
        ConnectionState {
            opened_at: activity.opened_at(),
            has_asked: activity.has_asked(),
            idle_since: activity.idle_since(),
            reading: reading.map(|((since, before), sent)| (since, sent.saturating_sub(before))),
            ending_since: self.ending_since,
        }
    }
}

type Candidates = Vec<(u64, Arc<Activity>)>;

impl OpenConnections {
    fn count(&self, network: IpAddr) -> usize {
        self.networks.get(&network).map_or(0, HashMap::len)
    }

    /// The connections of a network, or all.
    fn candidates(&self, network: Option<IpAddr>) -> Candidates {
        let pair = |(id, entry): (&u64, &Entry)| (*id, Arc::clone(&entry.activity));
        match network {
            Some(network) => self.networks.get(&network).into_iter().flatten().map(pair).collect(),
            None => self.networks.values().flatten().map(pair).collect(),
        }
    }

    /// Closes some of the candidates; returns how many.
    fn evict(
        &mut self,
        candidates: Candidates,
        wanted: usize,
        up_to: ConnectionPhase,
        now: Duration,
    ) -> usize {
        let evictable = candidates
            .into_iter()
            .filter_map(|(id, activity)| Some((activity.info(now)?, (id, activity))));
        let (infos, candidates): (Vec<_>, Vec<_>) = evictable.unzip();
        let evicted = connections::select_evictions(&infos, wanted, up_to);
        for &index in &evicted {
            let Some((id, activity)) = candidates.get(index) else { continue };
            activity.request(ConnectionAction::Close(
                "a new connection took its place (limits.connections)",
            ));
            // At once, and not when the task has ended: the new connection needs the slot now.
            self.remove(*id, activity.network);
        }
        evicted.len()
    }

    fn add(&mut self, activity: Arc<Activity>) -> u64 {
        self.last_id += 1;
        self.total += 1;
        let connections = self.networks.entry(activity.network).or_default();
        connections.insert(self.last_id, Entry { activity, reading: None, ending_since: None });
        self.last_id
    }

    fn remove(&mut self, id: u64, network: IpAddr) {
        let Some(connections) = self.networks.get_mut(&network) else { return };
        // An evicted connection has been removed before.
        if connections.remove(&id).is_some() {
            self.total -= 1;
        }
        if connections.is_empty() {
            self.networks.remove(&network);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.open().remove(self.id, self.activity.network);
        self.registry.freed.notify_one();
    }
}
