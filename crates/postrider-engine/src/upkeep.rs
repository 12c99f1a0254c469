//! Does what can wait: retention, erasure, recoveries, the sizes that metrics show.

use std::{sync::Arc, time::Duration};

use postrider_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::engine::Shared;

/// Deliveries that a recovery brings back in one step.
const STEP: usize = 500;

/// Messages of removed applications that are erased in one step.
const ERASED: usize = 200;

/// Time between two rounds when nothing asks for one.
const ROUND: Duration = Duration::from_secs(1);

/// Rounds between two looks at the store's size.
const SIZE_ROUNDS: u64 = 5;

/// Does what can wait; [`Upkeep::run`] is its life.
#[derive(Debug)]
pub struct Upkeep {
    shared: Arc<Shared>,
}

impl Upkeep {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut rounds = 0;
        while !stop.is_cancelled() {
            let round = self.round(rounds).await;
            if round.is_ok() {
                self.shared.metrics.store_reachable.set(1);
            }
            let has_more = round.unwrap_or_else(|error| {
                self.shared.store_failed("upkeep", &error);
                false
            });
            rounds += 1;
            if has_more {
                // Others take their turns before the next step.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {},
                () = self.shared.upkeep_wanted.notified() => {},
                () = tokio::time::sleep(ROUND) => {},
            }
        }
    }

    /// One bounded step of everything; `true` if there is more to do at once.
    async fn round(&self, rounds: u64) -> Result<bool, StoreError> {
        let Shared { store, settings, clock, .. } = &*self.shared;
        let recovered = store.recover(clock.now(), STEP).await?;
        if recovered.is_some_and(|count| count > 0) {
            self.shared.wake_all();
        }
        if rounds.is_multiple_of(SIZE_ROUNDS) {
            self.measure().await?;
        }
        let has_expired = store.expire(clock.now(), settings.retention).await?;
        let has_erased = store.erase(clock.now(), ERASED).await?;
        Ok(has_expired || has_erased || recovered.is_some())
    }

    async fn measure(&self) -> Result<(), StoreError> {
        let Shared { store, metrics, clock, .. } = &*self.shared;
        let size = store.size().await?;
        let age = size.oldest_due.map_or(0, |due| clock.now().since(due).as_secs());
        metrics.waiting_deliveries.set(size.waiting.try_into().unwrap_or(i64::MAX));
        metrics.oldest_due_age.set(age.try_into().unwrap_or(i64::MAX));
        metrics.stored_bytes.set(size.bytes.try_into().unwrap_or(i64::MAX));
        Ok(())
    }
}
