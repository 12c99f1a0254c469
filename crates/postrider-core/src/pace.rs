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
}
