//! Limits test deliveries and reachability checks, which occupy a request until a service responds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider::ApplicationId;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::api::error::ApiError;

/// Trials that run at the same time.
const MAX_RUNNING: usize = 32;

/// Trials of one application that run or wait. The others wait in order, so an application cannot
/// delay them by more than this many.
const MAX_PER_APPLICATION: usize = 4;

/// How long a trial waits for others.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The trials that run or wait.
#[derive(Debug)]
pub(crate) struct Trials {
    running: Semaphore,
    by_application: Mutex<HashMap<ApplicationId, usize>>,
}

/// The right to run a trial; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    _permit: SemaphorePermit<'a>,
    _entry: Entry<'a>,
}

/// A trial of an application.
#[derive(Debug)]
struct Entry<'a> {
    trials: &'a Trials,
    application: ApplicationId,
}

impl Default for Trials {
    fn default() -> Self {
        Self { running: Semaphore::new(MAX_RUNNING), by_application: Mutex::default() }
    }
}

impl Trials {
    /// Waits until the application may run a trial, or refuses it.
    pub(crate) async fn begin(&self, application: ApplicationId) -> Result<Trial<'_>, ApiError> {
        let entry = self.enter(application)?;
        let permit = tokio::time::timeout(MAX_WAIT, self.running.acquire()).await;
        let permit = permit.map_err(|_| {
            ApiError::Unavailable("too many endpoints are being tested; try again", None)
        })?;
        let permit = permit.expect("the semaphore is never closed");
        Ok(Trial { _permit: permit, _entry: entry })
    }

    fn enter(&self, application: ApplicationId) -> Result<Entry<'_>, ApiError> {
        let mut counts = self.counts();
        let count = counts.entry(application).or_default();
        if *count >= MAX_PER_APPLICATION {
            return Err(ApiError::TooMany("the application is testing four endpoints already"));
        }
        *count += 1;
        drop(counts);
        Ok(Entry { trials: self, application })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<ApplicationId, usize>> {
        self.by_application.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut counts = self.trials.counts();
        if let Some(count) = counts.get_mut(&self.application) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.application);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn application(number: u128) -> ApplicationId {
        ApplicationId::from_u128(number)
    }

    #[tokio::test(start_paused = true)]
    async fn an_application_that_tests_a_lot_leaves_room_for_others() {
        let trials = Trials::default();
        let mut held = Vec::new();
        for _ in 0..MAX_PER_APPLICATION {
            held.push(trials.begin(application(1)).await.unwrap());
        }
        let refused = trials.begin(application(1)).await.unwrap_err();
        assert_eq!(refused.status(), 429);
        drop(trials.begin(application(2)).await.unwrap());
        held.pop();
        drop(trials.begin(application(1)).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_waits_for_others_and_is_refused_in_the_end() {
        let trials = Trials::default();
        let mut held = Vec::new();
        for number in 0..MAX_RUNNING as u128 {
            held.push(trials.begin(application(number)).await.unwrap());
        }
        let refused = trials.begin(application(99)).await.unwrap_err();
        assert_eq!(refused.status(), 503);
        let mut waiting = std::pin::pin!(trials.begin(application(99)));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        held.pop();
        drop(waiting.await.unwrap());
        drop(held);
        assert!(trials.counts().is_empty());
    }
}
