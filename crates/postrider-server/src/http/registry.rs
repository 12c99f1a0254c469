//! All open connections: gives places to new ones, and ends those that are to end.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// Each time that places are needed, this part of all is freed, so that a flood of new
/// connections does not make every one of them look through all.
const BATCH: usize = 256;

/// The same for those of one client.
const BATCH_OF_CLIENT: usize = 64;

/// How long none is looked for again after there was none to be closed.
const REST: Duration = Duration::from_millis(50);

/// All open connections.
#[derive(Debug)]
pub(super) struct Registry {
    serving: Serving,
    lifetimes: ConnectionTimeouts,
    epoch: Instant,
    open: Mutex<Open>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    last: u64,
    /// No use in looking for connections to close before this.
    barren_until: Duration,
    networks: HashMap<IpAddr, HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    /// Since when responses wait to be read, and the bytes that had been written then.
    reading: Option<(Duration, u64)>,
    ending_since: Option<Duration>,
}

/// The place of a connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    id: u64,
    pub(super) activity: Arc<Activity>,
}

enum Answer {
    Admitted(Place),
    Refused,
    Full,
}

impl Registry {
    pub(super) fn new(serving: &Serving) -> Arc<Self> {
        let limits = &serving.limits;
        let lifetimes = ConnectionTimeouts {
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
            lifetimes,
            epoch: Instant::now(),
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// How often [`Registry::sweep`] is due.
    pub(super) fn period(&self) -> Duration {
        let ConnectionTimeouts { opening, idle, age, reading } = self.lifetimes;
        let shortest = opening.min(idle).min(age / 4).min(reading.grace_period);
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// A place for a connection from there, once there is one; none if the client has too many.
    pub(super) async fn place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        loop {
            let freed = self.freed.notified();
            match self.try_place(peer) {
                Answer::Admitted(place) => return Some(place),
                Answer::Refused => return None,
                Answer::Full => freed.await,
            }
        }
    }

    /// Whether a new connection may have to wait.
    pub(super) fn is_full(&self) -> bool {
        self.open().total >= self.serving.limits.connections
    }

    fn try_place(self: &Arc<Self>, peer: IpAddr) -> Answer {
        let limits = &self.serving.limits;
        let now = self.epoch.elapsed();
        let client = network(peer);
        let mut open = self.open();
        if !self.is_proxy(client) && open.count(client) >= limits.connections_per_address {
            let batch = limits.connections_per_address.div_ceil(BATCH_OF_CLIENT);
            let of_client = open.of(Some(client));
            if open.evict(of_client, batch, ConnectionPhase::New, now) == 0 {
                tracing::debug!(%peer, "connection was refused (limits.connections_per_address)");
                return Answer::Refused;
            }
        }
        let reserved = limits.reserved_connections.min(limits.connections / 2);
        let general = limits.connections - reserved;
        let batch = limits.connections.div_ceil(BATCH);
        if open.total >= general && now >= open.barren_until {
            let all = open.of(None);
            if open.evict(all, batch, ConnectionPhase::Busy, now) == 0 {
                open.barren_until = now + REST;
            }
        }
        if open.total >= limits.connections {
            let all = open.of(None);
            if open.evict(all, batch, ConnectionPhase::New, now) == 0 {
                return Answer::Full;
            }
        }
        let is_reserved = open.total >= general;
        let activity = Activity::new(client, is_reserved, self.epoch);
        let id = open.add(Arc::clone(&activity));
        Answer::Admitted(Place { registry: Arc::clone(self), id, activity })
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        let holds = |it: &IpNet| it.contains(&address);
        self.serving.trusted_proxies.iter().any(holds)
    }

    /// Ends the connections whose time is over.
    pub(super) fn sweep(&self) {
        let now = self.epoch.elapsed();
        let mut open = self.open();
        for entry in open.networks.values_mut().flat_map(HashMap::values_mut) {
            if entry.activity.is_upgraded() {
                continue;
            }
            match connections::next_action(&self.lifetimes, &entry.life(now), now) {
                ConnectionAction::Keep => {},
                ConnectionAction::Finish if entry.ending_since.is_some() => {},
                fate @ (ConnectionAction::Finish | ConnectionAction::Close(_)) => {
                    entry.ending_since.get_or_insert(now);
                    entry.activity.decide(fate);
                },
            }
        }
    }

    /// Lets all connections end after the requests in progress.
    pub(super) fn finish(&self) {
        let open = self.open();
        open.networks.values().flat_map(HashMap::values).for_each(|entry| {
            entry.activity.decide(ConnectionAction::Finish);
        });
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn life(&mut self, now: Duration) -> ConnectionState {
        let activity = &self.activity;
        let sent = activity.sent_of_more();
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

impl Open {
    fn count(&self, network: IpAddr) -> usize {
        self.networks.get(&network).map_or(0, HashMap::len)
    }

    /// The connections of the network, or all.
    fn of(&self, network: Option<IpAddr>) -> Candidates {
        let pair = |(id, entry): (&u64, &Entry)| (*id, Arc::clone(&entry.activity));
        match network {
            Some(network) => self.networks.get(&network).into_iter().flatten().map(pair).collect(),
            None => self.networks.values().flatten().map(pair).collect(),
        }
    }

    /// Closes some of these connections; how many that was.
    fn evict(
        &mut self,
        of: Candidates,
        wanted: usize,
        up_to: ConnectionPhase,
        now: Duration,
    ) -> usize {
        let seen = of.into_iter().filter_map(|(id, it)| Some((it.seen(now)?, (id, it))));
        let (seen, of): (Vec<_>, Vec<_>) = seen.unzip();
        let yielding = connections::select_evictions(&seen, wanted, up_to);
        for &index in &yielding {
            let Some((id, activity)) = of.get(index) else { continue };
            activity.decide(ConnectionAction::Close(
                "a new connection took its place (limits.connections)",
            ));
            self.remove(*id, activity.network);
        }
        yielding.len()
    }

    fn add(&mut self, activity: Arc<Activity>) -> u64 {
        self.last += 1;
        self.total += 1;
        let of = self.networks.entry(activity.network).or_default();
        of.insert(self.last, Entry { activity, reading: None, ending_since: None });
        self.last
    }

    fn remove(&mut self, id: u64, network: IpAddr) {
        let Some(of) = self.networks.get_mut(&network) else { return };
        if of.remove(&id).is_some() {
            self.total -= 1;
        }
        if of.is_empty() {
            self.networks.remove(&network);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.open().remove(self.id, self.activity.network);
        self.registry.freed.notify_one();
    }
}
