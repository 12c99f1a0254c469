//! Several nodes over one memory, for tests of what happens between them.
//!
//! The test that runs the nodes renews and ends their leases.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider_core::{delivery::DeliveryId, time::Timestamp};
use tokio::time::Instant;

use crate::contract::cluster::NodeLease;

/// What the nodes know of each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    /// Ends of the leases by epoch.
    alive: BTreeMap<u64, Timestamp>,
    last: u64,
    /// The epoch of the node that runs the current transaction.
    pub(super) actor: u64,
    /// The epochs that hold leased deliveries.
    holders: HashMap<DeliveryId, u64>,
}

/// One node's view of the memory.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) lease: Mutex<NodeLease>,
    pub(super) is_closed: Mutex<bool>,
    pub(super) is_cut_off: Mutex<bool>,
    /// Calls that failed because this node is cut off.
    pub(super) refused: Mutex<u64>,
    pub(super) is_panicking: Mutex<bool>,
    pub(super) latency: Mutex<Duration>,
    pub(super) time: Mutex<Option<(Timestamp, Instant)>>,
}

impl Default for Node {
    /// The only node, whose lease does not end.
    fn default() -> Self {
        Self {
            lease: Mutex::new(NodeLease { epoch: 0, valid_until: Timestamp::MAX }),
            is_closed: Mutex::default(),
            is_cut_off: Mutex::default(),
            refused: Mutex::default(),
            is_panicking: Mutex::default(),
            latency: Mutex::default(),
            time: Mutex::default(),
        }
    }
}

/// Locks a mutex. A panic in a transaction leaves nothing half done, so a poisoned lock is fine.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nodes {
    /// Gives a node a lease, and returns its epoch.
    pub(super) fn register(&mut self, until: Timestamp) -> u64 {
        self.last += 1;
        self.alive.insert(self.last, until);
        self.last
    }

    /// Renews the lease, or gives the node a new one if it was ended; returns the epoch.
    pub(super) fn renew(&mut self, epoch: u64, until: Timestamp) -> u64 {
        match self.alive.get_mut(&epoch) {
            Some(end) => {
                *end = until;
                epoch
            },
            None => self.register(until),
        }
    }

    /// Ends the leases that have expired.
    pub(super) fn end_expired(&mut self, now: Timestamp) {
        self.alive.retain(|_, until| *until > now);
    }

    /// Ends the lease of a node that leaves.
    pub(super) fn leave(&mut self, epoch: u64) {
        self.alive.remove(&epoch);
    }

    /// Deliveries that are held by a node without a lease.
    pub(super) fn orphans(&self) -> Vec<DeliveryId> {
        let is_orphan = |epoch: &u64| *epoch > 0 && !self.alive.contains_key(epoch);
        self.holders.iter().filter(|(_, epoch)| is_orphan(epoch)).map(|(id, _)| *id).collect()
    }

    pub(super) fn holder(&self, id: DeliveryId) -> Option<u64> {
        self.holders.get(&id).copied()
    }

    /// Whether the node that runs the transaction holds the delivery, or no node does.
    pub(super) fn may_move(&self, id: DeliveryId) -> bool {
        self.holder(id).is_none_or(|holder| holder == self.actor)
    }

    /// Records whether the delivery is held.
    pub(super) fn set_held(&mut self, id: DeliveryId, is_held: bool) {
        if is_held {
            self.holders.entry(id).or_insert(self.actor);
        } else {
            self.holders.remove(&id);
        }
    }
}
