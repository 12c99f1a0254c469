//! What only readers need, brought up to date behind the commits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::journal::Event;

/// The commit thread's side.
#[derive(Debug, Default)]
pub(super) struct Feed {
    durable: Arc<AtomicU64>,
}

impl Feed {
    /// The index has everything up to this position for good.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn offer(&self, _position: u64, _events: Vec<Event>) {}
}
