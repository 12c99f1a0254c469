//! The only place that reads the wall clock and draws random numbers.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId, TaskId};
use postrider_core::{retry::Draw, time::Timestamp};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

/// Tells the time, draws random numbers, makes ids.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    /// The sequence of the id that was made last.
    last: AtomicU64,
    random: Mutex<StdRng>,
}

#[derive(Debug)]
enum Source {
    System,
    /// Tokio's clock, which tests can pause, counted from a fixed moment.
    Virtual {
        origin: Instant,
    },
}

/// Where virtual time begins: 2026-01-01, in milliseconds.
const VIRTUAL_ORIGIN: u64 = 1_767_225_600_000;

impl Clock {
    /// The system's clock and randomness. Ids sort after the sequence `last`, even if the
    /// clock was set back since that one was made.
    pub fn system(last: u64) -> Self {
        Self {
            source: Source::System,
            last: AtomicU64::new(last),
            random: Mutex::new(StdRng::from_os_rng()),
        }
    }

    /// Tokio's clock and seeded randomness: one seed, one history.
    pub fn simulated(seed: u64, last: u64, origin: Instant) -> Self {
        Self {
            source: Source::Virtual { origin },
            last: AtomicU64::new(last),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    pub fn now(&self) -> Timestamp {
        match self.source {
            Source::System => Timestamp::from_millis(system_millis()),
            Source::Virtual { origin } => Timestamp::from_millis(VIRTUAL_ORIGIN) + origin.elapsed(),
        }
    }

    /// When tokio's clock will show this moment, as far as the two run alike.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        // A limit keeps a far moment from overflowing the timer.
        Instant::now() + at.since(self.now()).min(Duration::from_secs(3_600))
    }

    /// Fills the buffer with bytes fit for secrets.
    pub fn random(&self, bytes: &mut [u8]) {
        self.generator().fill_bytes(bytes);
    }

    pub fn draw(&self) -> Draw {
        Draw(self.generator().random())
    }

    pub fn application_id(&self) -> ApplicationId {
        let (sequence, tail) = self.next();
        ApplicationId::from_parts(sequence, tail)
    }

    pub fn endpoint_id(&self) -> EndpointId {
        let (sequence, tail) = self.next();
        EndpointId::from_parts(sequence, tail)
    }

    pub fn message_id(&self) -> MessageId {
        let (sequence, tail) = self.next();
        MessageId::from_parts(sequence, tail)
    }

    pub fn attempt_id(&self) -> AttemptId {
        let (sequence, tail) = self.next();
        AttemptId::from_parts(sequence, tail)
    }

    pub fn task_id(&self) -> TaskId {
        let (sequence, tail) = self.next();
        TaskId::from_parts(sequence, tail)
    }

    /// A sequence after all that were made before, and a random tail.
    fn next(&self) -> (u64, u64) {
        let now = self.now().as_millis() << 12;
        let following = |last: u64| now.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(following(last)))
            .expect("the update never declines");
        (following(last), self.generator().next_u64())
    }

    fn generator(&self) -> std::sync::MutexGuard<'_, StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_they_were_made_whatever_the_clock_does() {
        let ahead = (system_millis() + 3_600_000) << 12;
        let clock = Clock::system(ahead);
        let ids: Vec<_> = (0..10_000).map(|_| clock.message_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a.sequence() < b.sequence()));
        assert!(ids[0].sequence() > ahead);
    }
}
