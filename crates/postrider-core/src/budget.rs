//! A memory budget that callers share fairly.
//!
//! A caller may hold at most half of what the others leave free. A single caller gets half of the
//! memory, each of n greedy callers gets one part in n + 1, and as much stays free for a new
//! caller.

use std::collections::BTreeMap;

/// Identifies a caller: the unit that gets a fair share.
pub type CallerKey = u128;

/// Bytes that callers share.
#[derive(Debug)]
pub struct Budget {
    capacity: usize,
    taken: usize,
    /// A tree, because few callers hold memory at a time, and hashing would cost more.
    held: BTreeMap<CallerKey, usize>,
}

impl Budget {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, taken: 0, held: BTreeMap::new() }
    }

    /// Takes the bytes if they fit into the caller's share.
    pub fn take(&mut self, holder: CallerKey, bytes: usize) -> bool {
        let held = self.held.get(&holder).copied().unwrap_or_default();
        let fits = may_take(self.capacity, self.taken, held, bytes);
        if fits {
            self.force(holder, bytes);
        }
        fits
    }

    /// Takes the bytes in any case, for data that exists already and cannot be refused any more.
    pub fn force(&mut self, holder: CallerKey, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
        let held = self.held.entry(holder).or_default();
        *held = held.saturating_add(bytes);
    }

    /// Gives back what was taken.
    pub fn release(&mut self, holder: CallerKey, bytes: usize) {
        self.taken = self.taken.saturating_sub(bytes);
        if let Some(held) = self.held.get_mut(&holder) {
            *held = held.saturating_sub(bytes);
            if *held == 0 {
                self.held.remove(&holder);
            }
        }
    }

    /// Bytes that all callers hold together.
    pub const fn taken(&self) -> usize {
        self.taken
    }
}

/// Whether a caller that holds `held` of the bytes that are taken may take more.
const fn may_take(capacity: usize, taken: usize, held: usize, bytes: usize) -> bool {
    let left_by_others = capacity.saturating_sub(taken.saturating_sub(held));
    held.saturating_add(bytes) <= left_by_others / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_gets_half_of_what_the_others_leave() {
        for (taken, held, bytes, expected) in [
            (0, 0, 500, true),
            (0, 0, 501, false),
            (500, 500, 1, false),
            (500, 0, 250, true),
            (500, 0, 251, false),
            (700, 200, 50, true),
            (700, 200, 51, false),
            (1_000, 0, 0, true),
            (1_200, 0, 1, false),
            (0, 0, usize::MAX, false),
        ] {
            assert_eq!(may_take(1_000, taken, held, bytes), expected, "{taken} {held} {bytes}");
        }
    }

    #[test]
    fn greedy_callers_leave_room_for_one_more() {
        let mut budget = Budget::new(1_000_000);
        for _ in 0..1_000 {
            for holder in 1..=9 {
                budget.take(holder, 1_000);
            }
        }
        // A tenth for each of the nine, and as much for another one.
        assert!(budget.taken() <= 910_000, "{}", budget.taken());
        assert!(budget.take(10, 45_000));
    }

    #[test]
    fn released_bytes_are_free_again() {
        let mut budget = Budget::new(100);
        assert!(budget.take(1, 50));
        budget.force(1, 60);
        assert!(!budget.take(2, 1));
        budget.release(1, 60);
        assert!(budget.take(2, 25));
        budget.release(2, 25);
        budget.release(1, 50);
        assert_eq!((budget.taken(), budget.held.len()), (0, 0));
    }
}
