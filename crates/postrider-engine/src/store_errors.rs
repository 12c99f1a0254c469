//! Counts and logs failed store calls.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use postrider_core::time::Timestamp;
use postrider_store::StoreError;

use crate::{clock::Clock, metrics::Metrics};

/// Shortest time between two log lines. While a store is down, thousands of calls fail each
/// second.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Counts and logs failed store calls.
#[derive(Debug)]
pub(crate) struct StoreErrors {
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    /// When an error was logged last, in milliseconds since the epoch.
    logged_at: AtomicU64,
}

impl StoreErrors {
    pub(crate) fn new(clock: Arc<Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, logged_at: AtomicU64::new(0) }
    }

    /// Counts a failed store call, and logs it unless another was logged a moment ago.
    pub(crate) fn report(&self, call: &'static str, error: &StoreError) {
        if matches!(error, StoreError::Rebuilding(_)) {
            // The store says when it starts and ends; nothing has failed.
            return;
        }
        self.metrics.store_errors.inc();
        if matches!(error, StoreError::Unavailable(_) | StoreError::Full(_)) {
            self.metrics.store_reachable.set(0);
        }
        let now = self.clock.now();
        let last = self.logged_at.swap(now.as_millis(), Ordering::Relaxed);
        if now.since(Timestamp::from_millis(last)) >= LOG_INTERVAL {
            tracing::error!(call, error = %ErrorChain(error), "store call failed");
        } else {
            self.logged_at.store(last, Ordering::Relaxed);
        }
    }
}

/// An error with its causes, on one line.
struct ErrorChain<'a>(&'a dyn std::error::Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
