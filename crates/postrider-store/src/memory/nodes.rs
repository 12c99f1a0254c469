//! Several nodes over one memory, for tests of what happens between them.
//!
//! Leases are renewed and ended by whoever runs the nodes, at the times that they are told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};
use tokio::time::Instant;

use super::{MemoryStore, State};
use crate::{NodeLease, StoreError};

/// What the nodes know of each other.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// Ends of the leases, by number.
    alive: BTreeMap<u64, Timestamp>,
    last: u64,
    /// On whose behalf the transaction under way is.
    pub(super) actor: u64,
    /// Who holds what is held.
    holders: HashMap<DeliveryId, u64>,
}

/// One node's view of the memory.
#[derive(Debug)]
pub(super) struct Seat {
    tenure: Mutex<NodeLease>,
    pub(super) is_closed: Mutex<bool>,
    pub(super) is_cut: Mutex<bool>,
    pub(super) is_panicking: Mutex<bool>,
    latency: Mutex<Duration>,
    time: Mutex<Option<(Timestamp, Instant)>>,
}

impl Default for Seat {
    /// The only node: its tenure does not end.
    fn default() -> Self {
        Self {
            tenure: Mutex::new(NodeLease { epoch: 0, valid_until: Timestamp::MAX }),
            is_closed: Mutex::default(),
            is_cut: Mutex::default(),
            is_panicking: Mutex::default(),
            latency: Mutex::default(),
            time: Mutex::default(),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// Another node over the same memory, with a lease until then.
    #[must_use]
    pub fn join(&self, until: Timestamp) -> Self {
        let store = Self { state: Arc::clone(&self.state), seat: Seat::default() };
        *lock(&store.seat.time) = *lock(&self.seat.time);
        let number = lock(&self.state).nodes.register(until);
        *lock(&store.seat.tenure) = NodeLease { epoch: number, valid_until: until };
        store
    }

    /// Renews this node's lease, or begins another one if it was ended.
    pub fn renew(&self, until: Timestamp) -> Result<(), StoreError> {
        let number = lock(&self.seat.tenure).epoch;
        let number = self.with(|state| {
            Ok(match state.nodes.alive.get_mut(&number) {
                Some(end) => {
                    *end = until;
                    number
                },
                None => state.nodes.register(until),
            })
        })?;
        *lock(&self.seat.tenure) = NodeLease { epoch: number, valid_until: until };
        Ok(())
    }

    /// Ends the leases that are over, and frees what has no living holder; how many.
    pub fn reap(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.with(|state| {
            state.nodes.alive.retain(|_, until| *until > now);
            Ok(state.free_orphans())
        })
    }

    /// Makes the calls on deliveries of this node take so long before they are done, and as
    /// long again before they are answered.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.seat.latency) = latency;
    }

    /// Gives the memory a clock that nodes share; those that join later have it too.
    pub fn set_time(&self, now: Timestamp) {
        *lock(&self.seat.time) = Some((now, Instant::now()));
    }

    /// Whether this node, under its present number, holds the delivery.
    pub fn holds(&self, id: DeliveryId) -> bool {
        let number = lock(&self.seat.tenure).epoch;
        lock(&self.state).nodes.holders.get(&id) == Some(&number)
    }

    pub(super) fn tenure_now(&self) -> NodeLease {
        *lock(&self.seat.tenure)
    }

    pub(super) fn shared_time(&self) -> Option<Timestamp> {
        lock(&self.seat.time).map(|(time, since)| time + since.elapsed())
    }

    pub(super) async fn wait(&self) {
        let latency = *lock(&self.seat.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// Runs one transaction of a call on deliveries, in the time that it takes. It goes by the
    /// number that this node had when it was called.
    pub(super) async fn with_holder<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let number = lock(&self.seat.tenure).epoch;
        self.wait().await;
        let result = self.with(|state| {
            state.nodes.actor = number;
            transaction(state)
        });
        self.wait().await;
        result
    }
}

impl Nodes {
    fn register(&mut self, until: Timestamp) -> u64 {
        self.last += 1;
        self.alive.insert(self.last, until);
        self.last
    }

    /// Whether whoever acts holds the delivery, or nobody does.
    pub(super) fn may_move(&self, id: DeliveryId) -> bool {
        self.holders.get(&id).is_none_or(|holder| *holder == self.actor)
    }

    /// Takes note of whether the delivery is held.
    pub(super) fn note(&mut self, id: DeliveryId, is_held: bool) {
        if is_held {
            self.holders.entry(id).or_insert(self.actor);
        } else {
            self.holders.remove(&id);
        }
    }
}

impl State {
    /// Frees what is held by a number that nobody has; the only node of a memory has 0.
    fn free_orphans(&mut self) -> u64 {
        let is_orphan = |number: &u64| *number > 0 && !self.nodes.alive.contains_key(number);
        let orphans: Vec<DeliveryId> =
            self.nodes.holders.iter().filter(|it| is_orphan(it.1)).map(|it| *it.0).collect();
        for id in &orphans {
            self.free(*id);
        }
        orphans.len() as u64
    }

    /// Frees what a node holds that ends.
    pub(super) fn leave(&mut self, number: u64) {
        self.nodes.alive.remove(&number);
        self.free_orphans();
    }

    /// Deliveries are released by who holds them.
    pub(super) fn release_own(&mut self, delivery: &Delivery, at: Timestamp) {
        if self.nodes.may_move(delivery.id) {
            self.release(delivery, at);
        }
    }
}
