//! Deliveries in doubt: this node may hold them without knowing it.
//!
//! If a connection is lost after a write was sent and before the response arrived, the outcome of
//! the write is unknown. A delivery that was appended or claimed by such a write would be stuck
//! until its lease ends, which takes long. So the node releases these deliveries as soon as the
//! database responds again: a release has no effect on deliveries that the node does not hold.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};

use crate::contract::deliveries::{Hold, NewMessage, Shard};

/// Limit of deliveries in doubt; those beyond it become free when their leases end.
const MAX_DELIVERIES: usize = 10_000;

/// The server cancels a statement whose client is gone, so after this time the write in doubt has
/// either committed or never will.
const SETTLING_TIME: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct InDoubt(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    delivery: Delivery,
    /// None until the first release that the database responded to.
    until: Option<Timestamp>,
}

impl InDoubt {
    /// Adds deliveries that this node holds if a write with an unknown outcome was committed.
    pub(super) fn add(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        let mut entries = self.lock();
        let capacity = MAX_DELIVERIES.saturating_sub(entries.len());
        let new = deliveries.into_iter().take(capacity);
        entries.extend(new.map(|delivery| Entry { delivery, until: None }));
    }

    /// The deliveries of the shard, to be released. Other tasks may release them at the same time,
    /// which does no harm.
    pub(super) fn of_shard(&self, shard: Shard, now: Timestamp) -> Vec<(Delivery, Timestamp)> {
        let mut entries = self.lock();
        entries.retain(|entry| entry.until.is_none_or(|until| now < until));
        let of_shard = entries.iter().filter(|entry| shard.holds(entry.delivery.application));
        of_shard.map(|entry| (entry.delivery, now)).collect()
    }

    /// The database responded to a release of these. The write in doubt may still be running and
    /// commit later, so those that the node did not hold stay in doubt for a while.
    pub(super) fn released(&self, deliveries: &[(Delivery, Timestamp)], now: Timestamp) {
        let released: HashSet<_> = deliveries.iter().map(|(delivery, _)| delivery.id).collect();
        for entry in self.lock().iter_mut().filter(|it| released.contains(&it.delivery.id)) {
            entry.until = entry.until.or(Some(now + SETTLING_TIME));
        }
    }

    /// Removes deliveries whose holder is known now.
    pub(super) fn resolve(&self, known: impl IntoIterator<Item = DeliveryId>) {
        let mut entries = self.lock();
        if !entries.is_empty() {
            let known: HashSet<_> = known.into_iter().collect();
            entries.retain(|entry| !known.contains(&entry.delivery.id));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deliveries that this node holds if the batch was appended.
pub(super) fn held(batch: &[NewMessage]) -> Vec<Delivery> {
    batch
        .iter()
        .flat_map(|new| {
            let is_held = |hold| matches!(hold, Hold::Leased(_));
            let held = new.targets.iter().filter(move |it| is_held(it.hold));
            held.map(|target| {
                let id = DeliveryId { endpoint: target.endpoint, message: new.message.id };
                Delivery::first(id, new.message.application)
            })
        })
        .collect()
}
