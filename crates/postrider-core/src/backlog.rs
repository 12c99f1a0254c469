//! Limits the pending deliveries of an application, without counting them for each message.
//!
//! Between two counts, every new delivery is assumed to be still pending, so the estimate is never
//! too low on a single node. The store counts again only if the estimate comes near the limit or
//! is old.

use std::time::Duration;

use crate::time::Timestamp;

/// How long a count is used after a tenth of the limit was added to it, and how long a refusal
/// lasts.
pub const REFRESH: Duration = Duration::from_secs(2);

/// An estimate of an application's pending deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    counted: Option<(u64, Timestamp)>,
    /// New deliveries since then.
    added: u64,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Admit,
    /// Count, then decide again.
    Count,
    Refuse,
}

impl Backlog {
    /// Whether more may be accepted under this limit.
    pub fn judge(&self, limit: u64, now: Timestamp) -> Admission {
        let Some((counted, at)) = self.counted else { return Admission::Count };
        let is_old = now.since(at) >= REFRESH;
        let has_grown = self.added > limit / 10;
        let is_full = counted.saturating_add(self.added) >= limit;
        match (is_full, is_old, has_grown) {
            (true, true, _) | (true, _, true) | (false, true, true) => Admission::Count,
            (true, false, false) => Admission::Refuse,
            (false, ..) => Admission::Admit,
        }
    }

    /// New deliveries were accepted.
    pub fn add(&mut self, deliveries: u64) {
        self.added = self.added.saturating_add(deliveries);
    }

    /// A count begins. Until it ends, messages are admitted as if a tenth of the limit was free,
    /// since most of the added deliveries may have ended.
    pub fn begin_count(&mut self, limit: u64, now: Timestamp) {
        let counted = self.counted.map_or(0, |(counted, _)| counted);
        let most = limit - limit / 10;
        self.set(counted.saturating_add(self.added).min(most.saturating_sub(1)), now);
    }

    /// A count ended.
    pub fn set(&mut self, counted: u64, now: Timestamp) {
        *self = Self { counted: Some((counted, now)), added: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission::*, *};

    #[test]
    fn others_are_admitted_while_one_message_waits_for_the_count() {
        let now = Timestamp::from_millis(10_000);
        for limit in [1, 9, 10, 1_000] {
            let mut backlog = Backlog::default();
            for added in [0, 2_000] {
                backlog.add(added);
                backlog.begin_count(limit, now);
                assert_eq!(backlog.judge(limit, now), Admit, "{limit} {added}");
            }
        }
    }

    #[test]
    fn pending_deliveries_are_counted_rarely_and_refused_at_the_limit() {
        let at = Timestamp::from_millis;
        assert_eq!(Backlog::default().judge(100, at(0)), Count);
        for (counted, added, age, expected) in [
            (0, 0, 0, Admit),
            (0, 0, 3_600_000, Admit),
            (0, 10, 3_600_000, Admit),
            (0, 11, 1_999, Admit),
            (0, 11, 2_000, Count),
            (0, 99, 1_000, Admit),
            // All that was added may have been delivered.
            (0, 100, 0, Count),
            (50, 50, 0, Count),
            (95, 5, 1_999, Refuse),
            (95, 5, 2_000, Count),
            (100, 0, 0, Refuse),
            (100, 0, 2_000, Count),
            (500, 0, 1_999, Refuse),
        ] {
            let mut backlog = Backlog::default();
            backlog.set(counted, at(10_000));
            backlog.add(added);
            let judged = backlog.judge(100, at(10_000 + age));
            assert_eq!(judged, expected, "{counted} and {added} after {age} ms");
        }
    }
}
