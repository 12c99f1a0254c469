//! How much work a check may do.

use std::cell::Cell;

/// How deep a check may go into a payload, in subschemas. Each takes a few frames of the stack.
pub(super) const MAX_DEPTH: usize = 512;

/// Counts the work of one check.
#[derive(Debug)]
pub(super) struct Meter {
    left: Cell<u64>,
    costs: Costs,
}

/// What the parts of a check cost. A unit is about ten nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// For each 16 bytes of a string.
    pub per_chunk: u64,
    /// For each problem that is found.
    pub per_problem: u64,
    /// Levels of subschemas for each level of the payload.
    pub per_level: usize,
}

impl Meter {
    pub(super) const fn new(budget: u64, costs: Costs) -> Self {
        Self { left: Cell::new(budget), costs }
    }

    /// Whether the work was more than the budget. What the check returned is meaningless then.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// Pays for some work. Returns `false` if the budget is exhausted.
    pub(super) fn pay(&self, units: u64) -> bool {
        let left = self.left.get().saturating_sub(units);
        self.left.set(left);
        left > 0
    }

    pub(super) fn pay_for_string(&self, text: &str) -> bool {
        let chunks = 1 + text.len() as u64 / 16;
        self.pay(chunks.saturating_mul(self.costs.per_chunk))
    }

    pub(super) fn pay_for_problem(&self) -> bool {
        self.pay(self.costs.per_problem)
    }

    /// Pays for a value at this depth of the payload.
    pub(super) fn enter(&self, depth: usize) -> bool {
        if depth.saturating_mul(self.costs.per_level) > MAX_DEPTH {
            self.left.set(0);
        }
        self.pay(1)
    }
}
