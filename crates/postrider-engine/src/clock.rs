//! The only place that reads the wall clock and draws random numbers.
//!
//! Nodes that share a store follow the store's clock, not their own. So leases, due times and rates
//! are the same for all of them, and a wall clock that is wrong or jumps does not matter. Between two
//! readings of the store's clock, the elapsed time of the local monotonic clock is added.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use postrider::{
    ApiKeyId, ApplicationId, AttemptId, AuditId, AutoConfigId, ConnectorId, ConsumerId,
    DeadLetterId, EndpointId, IntegrationId, MessageId, RejectionId, SourceId, TaskId,
};
use postrider_core::{
    retry::JitterSample,
    time::Timestamp,
    trace::{SpanId, TraceId, attempt::NewIds},
};
use postrider_store::{Store, StoreError};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

/// Tells the time, draws random numbers, creates ids.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    /// The start of the elapsed time.
    began: Instant,
    /// What the store's clock showed at `began`, in milliseconds; 0 if it is not followed.
    followed: AtomicU64,
    /// The sequence of the last id.
    last: AtomicU64,
    random: Mutex<StdRng>,
}

#[derive(Debug)]
enum Source {
    System,
    /// Tokio's clock, which tests can pause, from a fixed start.
    Virtual {
        origin: Instant,
    },
}

/// The start of virtual time: 2026-01-01, in milliseconds.
const VIRTUAL_ORIGIN: u64 = 1_767_225_600_000;

impl Clock {
    /// The system's clock and randomness. Ids sort after the sequence `last`, even if the clock was
    /// set back since then.
    pub fn system(last: u64) -> Self {
        Self {
            source: Source::System,
            began: Instant::now(),
            followed: AtomicU64::new(0),
            last: AtomicU64::new(last),
            random: Mutex::new(StdRng::from_os_rng()),
        }
    }

    /// Tokio's clock and seeded randomness: one seed gives one history.
    pub fn simulated(seed: u64, last: u64, origin: Instant) -> Self {
        Self {
            source: Source::Virtual { origin },
            began: Instant::now(),
            followed: AtomicU64::new(0),
            last: AtomicU64::new(last),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        }
    }

    /// Reads the clock of the store, if nodes share it, and follows it from then on.
    ///
    /// The result was true at some point between the request and the reply, so the store's clock
    /// is known only within that interval. Of the possible values, the one nearest to the previous
    /// estimate is used, so that a clock that is followed well never jumps. The first estimate is
    /// the latest possible value, so that a lease expires on this node before it expires in the
    /// store.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let asked = self.passed();
        let Some(time) = store.time().await? else { return Ok(()) };
        let latest = time.as_millis().saturating_sub(asked).max(1);
        let earliest = time.as_millis().saturating_sub(self.passed()).max(1);
        let believed = match self.followed.load(Ordering::Relaxed) {
            0 => latest,
            believed => believed.clamp(earliest, latest),
        };
        self.followed.store(believed, Ordering::Relaxed);
        Ok(())
    }

    /// Milliseconds since `began`.
    fn passed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn now(&self) -> Timestamp {
        let followed = self.followed.load(Ordering::Relaxed);
        if followed > 0 {
            return Timestamp::from_millis(followed.saturating_add(self.passed()));
        }
        match self.source {
            Source::System => Timestamp::from_millis(system_millis()),
            Source::Virtual { origin } => Timestamp::from_millis(VIRTUAL_ORIGIN) + origin.elapsed(),
        }
    }

    /// The time on tokio's clock, as far as the two run at the same speed.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        // Without a limit, a time far in the future would overflow the timer.
        Instant::now() + at.since(self.now()).min(Duration::from_secs(3_600))
    }

    /// Fills the buffer with random bytes that can be used for secrets.
    pub fn random(&self, bytes: &mut [u8]) {
        self.generator().fill_bytes(bytes);
    }

    /// Ids for a new span.
    pub fn span_ids(&self) -> NewIds {
        let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
        let mut generator = self.generator();
        generator.fill_bytes(&mut trace_id);
        generator.fill_bytes(&mut span_id);
        NewIds { trace_id: TraceId(trace_id), span_id: SpanId(span_id) }
    }

    /// The time since 1970, as precisely as it is known. Spans of other services have the time of
    /// their own clocks, so it does not follow the store's.
    pub fn precise(&self) -> Duration {
        match self.source {
            Source::System => since_1970(),
            Source::Virtual { .. } => Duration::from_millis(self.now().as_millis()),
        }
    }

    pub fn jitter(&self) -> JitterSample {
        JitterSample(self.generator().random())
    }

    pub fn application_id(&self) -> ApplicationId {
        let (sequence, tail) = self.next();
        ApplicationId::from_parts(sequence, tail)
    }

    pub fn endpoint_id(&self) -> EndpointId {
        let (sequence, tail) = self.next();
        EndpointId::from_parts(sequence, tail)
    }

    pub fn integration_id(&self) -> IntegrationId {
        let (sequence, tail) = self.next();
        IntegrationId::from_parts(sequence, tail)
    }

    pub fn auto_config_id(&self) -> AutoConfigId {
        let (sequence, tail) = self.next();
        AutoConfigId::from_parts(sequence, tail)
    }

    pub fn source_id(&self) -> SourceId {
        let (sequence, tail) = self.next();
        SourceId::from_parts(sequence, tail)
    }

    pub fn consumer_id(&self) -> ConsumerId {
        let (sequence, tail) = self.next();
        ConsumerId::from_parts(sequence, tail)
    }

    pub fn connector_id(&self) -> ConnectorId {
        let (sequence, tail) = self.next();
        ConnectorId::from_parts(sequence, tail)
    }

    pub fn dead_letter_id(&self) -> DeadLetterId {
        let (sequence, tail) = self.next();
        DeadLetterId::from_parts(sequence, tail)
    }

    pub fn rejection_id(&self) -> RejectionId {
        let (sequence, tail) = self.next();
        RejectionId::from_parts(sequence, tail)
    }

    pub fn message_id(&self) -> MessageId {
        let (sequence, tail) = self.next();
        MessageId::from_parts(sequence, tail)
    }

    /// Create it when the call starts: an attempt's `timestamp` is the time in its id.
    pub fn attempt_id(&self) -> AttemptId {
        let (sequence, tail) = self.next();
        AttemptId::from_parts(sequence, tail)
    }

    /// Identifies this process among those that share the store.
    pub(crate) fn holder(&self) -> u64 {
        self.generator().next_u64()
    }

    pub fn task_id(&self) -> TaskId {
        let (sequence, tail) = self.next();
        TaskId::from_parts(sequence, tail)
    }

    pub fn audit_id(&self) -> AuditId {
        let (sequence, tail) = self.next();
        AuditId::from_parts(sequence, tail)
    }

    pub fn api_key_id(&self) -> ApiKeyId {
        let (sequence, tail) = self.next();
        ApiKeyId::from_parts(sequence, tail)
    }

    /// A sequence after all earlier ones, and a random tail.
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
fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn system_millis() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_of_their_creation_whatever_the_clock_does() {
        let ahead = (system_millis() + 3_600_000) << 12;
        let clock = Clock::system(ahead);
        let ids: Vec<_> = (0..10_000).map(|_| clock.message_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a.sequence() < b.sequence()));
        assert!(ids[0].sequence() > ahead);
    }
}
