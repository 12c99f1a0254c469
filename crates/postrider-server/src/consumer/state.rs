//! What a consumer is doing on this node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider::{ConsumerId, api::ConsumerStatus};
use postrider_core::time::Timestamp;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use crate::metrics::{ConsumerLabels, ConsumerMessageLabels, ConsumerMetrics, ConsumerResult};

/// What a consumer is doing, and what it has done since the node started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) status: ConsumerStatus,
    pub(crate) since: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) last_message_at: Option<Timestamp>,
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) dead_letters: u64,
    pub(crate) in_flight: u64,
}

impl Snapshot {
    /// Of a consumer that has not done anything.
    pub(crate) const fn new(status: ConsumerStatus, since: Timestamp) -> Self {
        Self {
            status,
            since,
            reason: None,
            last_message_at: None,
            accepted: 0,
            duplicates: 0,
            dead_letters: 0,
            in_flight: 0,
        }
    }
}

/// The state of one consumer. Its task writes it, and the API reads it.
#[derive(Debug)]
pub(super) struct State {
    snapshot: Mutex<Snapshot>,
    accepted: Counter,
    duplicates: Counter,
    dead_letters: Counter,
    connected: Gauge,
    in_flight: Gauge,
}

impl State {
    pub(super) fn new(id: ConsumerId, metrics: &ConsumerMetrics, now: Timestamp) -> Self {
        let consumer = id.to_string();
        let counter = |result| {
            let labels = ConsumerMessageLabels { consumer: consumer.clone(), result };
            metrics.messages.get_or_create_owned(&labels)
        };
        let labels = ConsumerLabels { consumer: consumer.clone() };
        Self {
            snapshot: Mutex::new(Snapshot::new(ConsumerStatus::Connecting, now)),
            accepted: counter(ConsumerResult::Accepted),
            duplicates: counter(ConsumerResult::Duplicate),
            dead_letters: counter(ConsumerResult::DeadLetter),
            connected: metrics.connected.get_or_create_owned(&labels),
            in_flight: metrics.in_flight.get_or_create_owned(&labels),
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Sets the status. Its time stays while it does.
    pub(super) fn set(&self, status: ConsumerStatus, reason: Option<String>, now: Timestamp) {
        let reads = matches!(status, ConsumerStatus::Connected | ConsumerStatus::Waiting);
        self.connected.set(i64::from(reads));
        let mut snapshot = self.lock();
        if snapshot.status != status {
            snapshot.since = now;
        }
        snapshot.status = status;
        snapshot.reason = reason;
    }

    pub(super) fn received(&self, now: Timestamp) {
        self.lock().last_message_at = Some(now);
    }

    pub(super) fn set_in_flight(&self, count: usize) {
        self.in_flight.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.lock().in_flight = count as u64;
    }

    pub(super) fn count(&self, result: ConsumerResult) {
        let mut snapshot = self.lock();
        let (counter, number) = match result {
            ConsumerResult::Accepted => (&self.accepted, &mut snapshot.accepted),
            ConsumerResult::Duplicate => (&self.duplicates, &mut snapshot.duplicates),
            ConsumerResult::DeadLetter => (&self.dead_letters, &mut snapshot.dead_letters),
        };
        counter.inc();
        *number += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
