//! Deliveries that this node may hold without knowing it.
//!
//! When a connection is lost after a write was sent and before it was answered, nobody knows
//! whether it was done. A message that was appended so, or a delivery that was claimed so,
//! would wait until the lease of the delivery ends, which is long. So the node gives back, as
//! soon as the database answers again, whatever it may hold and does not have.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};

use crate::{Hold, NewMessage, Shard};

/// Most deliveries in doubt; for more, the lease of a delivery has to end.
const MOST: usize = 10_000;

/// The server ends a statement whose client is gone; this much later none can be under way.
const LATE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Unsure(Mutex<Vec<Doubt>>);

#[derive(Debug)]
struct Doubt {
    delivery: Delivery,
    /// Known from the first time on that the database answered.
    until: Option<Timestamp>,
}

impl Unsure {
    /// The write that made this node the holder of these had no answer.
    pub(super) fn add(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        let mut doubts = self.lock();
        let room = MOST.saturating_sub(doubts.len());
        let new = deliveries.into_iter().take(room);
        doubts.extend(new.map(|delivery| Doubt { delivery, until: None }));
    }

    /// Those of the shard: they are to be given back, whoever else may be about it.
    pub(super) fn of(&self, shard: Shard, now: Timestamp) -> Vec<(Delivery, Timestamp)> {
        let mut doubts = self.lock();
        doubts.retain(|it| it.until.is_none_or(|until| now < until));
        let of_shard = doubts.iter().filter(|it| shard.holds(it.delivery.application));
        of_shard.map(|it| (it.delivery, now)).collect()
    }

    /// The database was asked to take these back. A write may still be under way, so those that
    /// it did not have stay for a while.
    pub(super) fn asked(&self, asked: &[(Delivery, Timestamp)], now: Timestamp) {
        let asked: HashSet<_> = asked.iter().map(|(it, _)| it.id).collect();
        for doubt in self.lock().iter_mut().filter(|it| asked.contains(&it.delivery.id)) {
            doubt.until = doubt.until.or(Some(now + LATE));
        }
    }

    /// Where these are is known now.
    pub(super) fn forget(&self, known: impl IntoIterator<Item = DeliveryId>) {
        let mut doubts = self.lock();
        if !doubts.is_empty() {
            let known: HashSet<_> = known.into_iter().collect();
            doubts.retain(|it| !known.contains(&it.delivery.id));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Doubt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the appender of these would hold.
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
