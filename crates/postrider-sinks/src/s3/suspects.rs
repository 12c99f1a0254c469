//! Which messages may be in the bucket already.
//!
//! A message is in the bucket although it is delivered again if its object was written, but the
//! process or the connection ended before that was known. Such a message is older than the
//! process, older than the last write of unknown result, or another node held it until its lease
//! expired. All others were certainly never written, and need no search.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use postrider_core::time::Timestamp;
use tokio::time::Instant;

/// After a start, how long messages that are older wait: a write of the process before may still
/// be in progress at the store.
pub(super) const SETTLING: Duration = Duration::from_secs(5);

/// No other node can have had a message that is younger. The lease of a node takes longer to
/// expire.
const FRESH: Duration = Duration::from_secs(2);

/// Which messages may be in the bucket already.
#[derive(Debug)]
pub(super) struct Suspects {
    began_at: Timestamp,
    began: Instant,
    /// Messages that were accepted before are suspects.
    before: Mutex<Timestamp>,
}

impl Suspects {
    /// Nothing is known about what was written before `at`, which is now.
    pub(super) fn new(at: Timestamp) -> Self {
        Self { began_at: at, began: Instant::now(), before: Mutex::new(at) }
    }

    /// Whether a message that was accepted at this time, and is delivered now, may be in the
    /// bucket.
    pub(super) fn contain(&self, accepted_at: Timestamp, now: Timestamp) -> bool {
        let before = *self.before.lock().unwrap_or_else(PoisonError::into_inner);
        // Other nodes may have other clocks. A message from the future has an unknown age.
        accepted_at <= before || accepted_at > now || now.since(accepted_at) > FRESH
    }

    /// Waits until the writes of the process before have ended, if messages may be from that time.
    pub(super) async fn settle(&self) {
        tokio::time::sleep_until(self.began + SETTLING).await;
    }

    /// A write begins. If its result does not become known, everything up to the end of it is
    /// suspect.
    pub(super) const fn doubt(&self) -> Doubt<'_> {
        Doubt { suspects: Some(self) }
    }

    fn suspect_all(&self) {
        let now = self.began_at + self.began.elapsed();
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

/// A write whose result is not known.
#[derive(Debug)]
pub(super) struct Doubt<'a> {
    suspects: Option<&'a Suspects>,
}

impl Doubt<'_> {
    /// It is known now.
    pub(super) fn resolve(mut self) {
        self.suspects = None;
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(suspects) = self.suspects {
            suspects.suspect_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_have_been_written_is_suspect() {
        let suspects = Suspects::new(at(100));
        for (accepted_at, now, expected) in [
            (at(99), at(100), true),
            (at(101), at(101), false),
            (at(101), at(102), false),
            (at(101), at(110), true),
            (at(120), at(110), true),
        ] {
            assert_eq!(suspects.contain(accepted_at, now), expected, "{accepted_at:?} {now:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_of_unknown_result_makes_everything_before_suspect() {
        let suspects = Suspects::new(at(100));
        tokio::time::advance(Duration::from_secs(20)).await;
        suspects.doubt().resolve();
        assert!(!suspects.contain(at(119), at(120)));
        drop(suspects.doubt());
        assert!(suspects.contain(at(119), at(120)));
        assert!(!suspects.contain(at(121), at(121)));
    }
}
