//! The reference implementation: plain maps behind one lock, nothing on disk.
//!
//! It is for tests and experiments. It keeps every promise of [`Store`](crate::Store) that does
//! not need a disk, and it scans where the other stores use an index.

mod audit;
mod catalog;
mod cluster;
mod deliveries;
mod history;
mod idempotency;
mod log;
mod maintenance;
mod node;
mod overview;
mod polling;
mod rejections;
mod search;
mod sign_ins;
mod state;
mod statistics;
mod tasks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use postrider_core::{delivery::DeliveryId, time::Timestamp};
use tokio::time::Instant;

use self::{
    node::{Node, lock},
    state::State,
};
use crate::{contract::cluster::NodeLease, error::StoreError};

/// A store in memory, which ends with the process. Each value is one node's view of it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    node: Node,
}

impl MemoryStore {
    /// Makes every call of this node fail as unavailable until it is made available again, for
    /// tests of how callers react.
    pub fn set_available(&self, available: bool) {
        *lock(&self.node.is_cut_off) = !available;
    }

    /// How many calls of this node have failed because it was made unavailable.
    pub fn refused_calls(&self) -> u64 {
        *lock(&self.node.refused)
    }

    /// Makes every claim of this node panic, as a bug would, for tests of how it is noticed.
    pub fn set_panicking(&self, panicking: bool) {
        *lock(&self.node.is_panicking) = panicking;
    }

    /// Delays calls on deliveries of this node: this long before they take effect, and again
    /// before they return.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.node.latency) = latency;
    }

    /// Gives the memory a clock that nodes share; nodes that join later have it too.
    pub fn set_time(&self, now: Timestamp) {
        *lock(&self.node.time) = Some((now, Instant::now()));
    }

    /// Adds a node over the same memory, with a lease until the given time.
    #[must_use]
    pub fn join(&self, until: Timestamp) -> Self {
        let store = Self { state: Arc::clone(&self.state), node: Node::default() };
        *lock(&store.node.time) = *lock(&self.node.time);
        let epoch = lock(&self.state).nodes.register(until);
        *lock(&store.node.lease) = NodeLease { epoch, valid_until: until };
        store
    }

    /// Renews this node's lease, or begins another one if it was ended.
    pub fn renew(&self, until: Timestamp) -> Result<(), StoreError> {
        let epoch = self.lease().epoch;
        let epoch = self.transact(|state| Ok(state.nodes.renew(epoch, until)))?;
        *lock(&self.node.lease) = NodeLease { epoch, valid_until: until };
        Ok(())
    }

    /// Ends the leases that have expired, frees the deliveries that were held under them, and
    /// returns their number.
    pub fn reap(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.transact(|state| {
            state.nodes.end_expired(now);
            Ok(state.free_orphans())
        })
    }

    /// Whether this node, in its current epoch, holds the delivery.
    pub fn holds(&self, id: DeliveryId) -> bool {
        let epoch = self.lease().epoch;
        lock(&self.state).nodes.holder(id) == Some(epoch)
    }

    /// Whether the delivery has succeeded.
    pub fn is_delivered(&self, id: DeliveryId) -> bool {
        let state = lock(&self.state);
        state.deliveries.get(&id).is_some_and(|it| it.state == state::DeliveryState::Delivered)
    }

    fn lease(&self) -> NodeLease {
        *lock(&self.node.lease)
    }

    /// Runs one transaction.
    fn transact<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if *lock(&self.node.is_closed) {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        if *lock(&self.node.is_cut_off) {
            *lock(&self.node.refused) += 1;
            return Err(StoreError::Unavailable("the store was made unavailable".into()));
        }
        let mut state = lock(&self.state);
        state.nodes.actor = self.lease().epoch;
        transaction(&mut state)
    }

    /// Runs one transaction of a call on deliveries, with the latency of this node, in the epoch
    /// that the node had when it was called.
    async fn transact_as_holder<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let epoch = self.lease().epoch;
        self.delay().await;
        let result = self.transact(|state| {
            state.nodes.actor = epoch;
            transaction(state)
        });
        self.delay().await;
        result
    }

    async fn delay(&self) {
        let latency = *lock(&self.node.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }
}
