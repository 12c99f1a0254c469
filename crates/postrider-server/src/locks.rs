//! Locks that order changes, so that a record is replaced by one that was made from it.
//!
//! They order the changes of one node only.

use postrider::ApplicationId;
use tokio::sync::{Mutex, MutexGuard};

/// Number of locks that all applications share. Two applications that share one wait for each
/// other, which is rare and short.
const STRIPES: usize = 64;

/// Locks that order changes.
#[derive(Debug)]
pub(crate) struct ChangeLocks {
    applications: [Mutex<()>; STRIPES],
    event_types: Mutex<()>,
}

impl Default for ChangeLocks {
    fn default() -> Self {
        Self {
            applications: std::array::from_fn(|_| Mutex::default()),
            event_types: Mutex::default(),
        }
    }
}

impl ChangeLocks {
    /// The lock of an application, its endpoints and its sources.
    pub(crate) async fn application(&self, id: ApplicationId) -> MutexGuard<'_, ()> {
        // The low bits of an id are random.
        let [stripe, ..] = id.tail().to_le_bytes();
        self.applications[usize::from(stripe) % STRIPES].lock().await
    }

    /// The lock of all event types, which change rarely.
    pub(crate) async fn event_types(&self) -> MutexGuard<'_, ()> {
        self.event_types.lock().await
    }
}
