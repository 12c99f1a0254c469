//! What a node remembers from one step to the next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider_core::time::Timestamp;

use crate::postgres::partitions::PartitionLog;

#[derive(Debug, Default)]
pub(in crate::postgres) struct ExpiryState {
    timers: Mutex<Timers>,
    log: PartitionLog,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    pub(super) paused: Timer,
    pub(super) partitions: Timer,
    pub(super) rows: Timer,
}

impl ExpiryState {
    pub(super) fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::postgres) const fn log(&self) -> &PartitionLog {
        &self.log
    }
}

/// Something that is done now and then. Time may go back: tests do that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timer {
    done_at: Option<Timestamp>,
    wait_millis: u64,
}

impl Timer {
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        self.done_at.is_none_or(|done_at| {
            now < done_at || now.as_millis() - done_at.as_millis() >= self.wait_millis
        })
    }

    pub(super) fn restart(&mut self, now: Timestamp, wait_millis: u64) {
        *self = Self { done_at: Some(now), wait_millis };
    }
}
