//! How fast a background task works, so that it does not delay anything else.

use std::time::Duration;

/// The size of the next batch, and the pause before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Items in the batch.
    pub size: usize,
    pub pause: Duration,
}

/// A batch should not take longer: other work waits for it.
const TARGET: Duration = Duration::from_millis(5);

/// The fewest items, and the most. Every delivery that is settled meanwhile waits for the items of a
/// batch, however fast the batch is.
const SIZES: (usize, usize) = (20, 50);

/// A pause is this many times as long as the batch before it, so that a task uses at most an
/// eighth of the store's time.
const PAUSE_FACTOR: u32 = 7;

const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(2));

impl Pace {
    /// The pace of a task that starts.
    pub const START: Self = Self { size: 50, pause: Duration::ZERO };

    /// The pace after a batch that took this long.
    #[must_use]
    pub fn after(self, took: Duration) -> Self {
        let size = if took > TARGET * 2 {
            self.size / 2
        } else if took < TARGET {
            self.size + self.size / 2
        } else {
            self.size
        };
        Self {
            size: size.clamp(SIZES.0, SIZES.1),
            pause: (took * PAUSE_FACTOR).clamp(PAUSES.0, PAUSES.1),
        }
    }
}

/// The time that a batch of a rebuild of the index should take: searches that wait for the latest
/// changes wait for it, too.
const REBUILD_TARGET: Duration = Duration::from_millis(25);

const REBUILD_SIZES: (usize, usize) = (500, 20_000);

impl Pace {
    /// The pace of a rebuild of the index that starts.
    pub const REBUILD: Self = Self { size: 2_000, pause: Duration::ZERO };

    /// The pace of a rebuild after a batch that took this long. On a busy store it uses a quarter of
    /// a core, otherwise four fifths of one.
    #[must_use]
    pub fn after_rebuilding(self, took: Duration, is_busy: bool) -> Self {
        let size = if took > REBUILD_TARGET * 2 {
            self.size / 2
        } else if took < REBUILD_TARGET {
            self.size + self.size / 2
        } else {
            self.size
        };
        let pause = if is_busy { took * 3 } else { took / 4 };
        Self { size: size.clamp(REBUILD_SIZES.0, REBUILD_SIZES.1), pause: pause.min(PAUSES.1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_batches_become_smaller_and_are_followed_by_longer_pauses() {
        for (size, took, expected_size, expected_pause) in [
            (24, 1, 36, 10),
            (24, 4, 36, 28),
            (30, 5, 30, 35),
            (30, 10, 30, 70),
            (50, 11, 25, 77),
            (40, 1, 50, 10),
            (25, 100, 20, 700),
            (20, 10_000, 20, 2_000),
        ] {
            let pace = Pace { size, pause: Duration::ZERO }.after(Duration::from_millis(took));
            let pause = Duration::from_millis(expected_pause);
            assert_eq!(pace, Pace { size: expected_size, pause }, "{size} {took}");
        }
    }

    #[test]
    fn a_rebuild_leaves_most_of_a_busy_store_to_others() {
        for (size, took, is_busy, expected_size, expected_pause) in [
            (2_000, 10, false, 3_000, 2),
            (2_000, 30, false, 2_000, 7),
            (2_000, 30, true, 2_000, 90),
            (2_000, 100, true, 1_000, 300),
            (20_000, 1, true, 20_000, 3),
            (600, 60, true, 500, 180),
            (500, 5_000, true, 500, 2_000),
        ] {
            let pace = Pace { size, pause: Duration::ZERO };
            let next = pace.after_rebuilding(Duration::from_millis(took), is_busy);
            assert_eq!((next.size, next.pause.as_millis()), (expected_size, expected_pause));
        }
    }
}
