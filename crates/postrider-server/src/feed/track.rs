//! What was read of one kind of rows.
//!
//! Ids are made before their rows commit, so that a row can become visible after one with a greater
//! id. So each pass reads again what is younger than an overlap, and skips what was read before.

use std::{collections::BTreeSet, time::Duration};

use postrider_core::time::Timestamp;

use super::entry::millis;

/// Most ids that are remembered.
const MAX_SEEN: usize = 50_000;

/// What was read of one kind of rows.
#[derive(Debug)]
pub(super) struct Track {
    /// Rows that are older are not read.
    floor: Timestamp,
    /// Rows that were read since then.
    seen: BTreeSet<u128>,
}

impl Track {
    pub(super) const fn new(floor: Timestamp) -> Self {
        Self { floor, seen: BTreeSet::new() }
    }

    /// The time from which a pass with this overlap reads.
    pub(super) fn since(&self, now: Timestamp, overlap: Duration) -> Timestamp {
        before(now, overlap).max(self.floor)
    }

    /// Whether the row was not read before.
    pub(super) fn is_new(&mut self, id: u128) -> bool {
        self.seen.insert(id)
    }

    /// Forgets what is older than the overlap: it is not read again.
    pub(super) fn settle(&mut self, now: Timestamp, overlap: Duration) {
        self.floor = self.floor.max(before(now, overlap));
        while let Some(first) = self.seen.first() {
            let is_old = millis(*first) < self.floor.as_millis();
            if !is_old && self.seen.len() <= MAX_SEEN {
                break;
            }
            self.floor = self.floor.max(Timestamp::from_millis(millis(*first)));
            self.seen.pop_first();
        }
    }

    /// Skips everything that is older than this.
    pub(super) fn skip_to(&mut self, time: Timestamp) {
        self.floor = self.floor.max(time);
    }
}

pub(super) fn before(moment: Timestamp, time: Duration) -> Timestamp {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(moment.as_millis().saturating_sub(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(seconds: u64) -> u128 {
        u128::from(seconds * 1_000) << 80
    }

    const OVERLAP: Duration = Duration::from_secs(10);

    #[test]
    fn a_row_that_becomes_visible_late_is_read_once() {
        let mut track = Track::new(at(100));
        assert_eq!(track.since(at(103), OVERLAP), at(100));
        assert!(track.is_new(id(102)));
        track.settle(at(103), OVERLAP);
        assert!(track.is_new(id(101)));
        assert!(!track.is_new(id(102)));
        assert_eq!(track.since(at(120), OVERLAP), at(110));
        assert_eq!(track.since(at(120), Duration::from_secs(1)), at(119));
    }

    #[test]
    fn what_is_older_than_the_overlap_is_forgotten_and_not_read_again() {
        let mut track = Track::new(at(100));
        assert!(track.is_new(id(105)));
        track.settle(at(120), OVERLAP);
        assert!(track.seen.is_empty());
        assert_eq!(track.since(at(120), Duration::from_secs(60)), at(110));
        track.skip_to(at(118));
        assert_eq!(track.since(at(120), OVERLAP), at(118));
    }
}
