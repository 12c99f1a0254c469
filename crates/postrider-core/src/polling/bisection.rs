//! Finds the place of a time in a log, whose entries are in the order of their times.

use crate::time::Timestamp;

/// Searches for the last offset whose entry was added before a time. Entries may be missing.
#[derive(Clone, Copy, Debug)]
pub struct Bisection {
    at: Timestamp,
    /// All entries up to here were added before the time.
    before: u64,
    /// All entries behind this offset were added at the time or later.
    last: u64,
}

impl Bisection {
    /// A search in a log that ends with the offset `last`.
    pub const fn new(at: Timestamp, last: u64) -> Self {
        Self { at, before: 0, last }
    }

    /// The offset at which to look next: for the first entry there or later. `None` if the search
    /// has ended.
    pub const fn next(&self) -> Option<u64> {
        if self.before >= self.last {
            return None;
        }
        Some(self.before + (self.last - self.before).div_ceil(2))
    }

    /// Continues with the first entry at `asked` or later: its offset and time.
    pub fn found(&mut self, asked: u64, entry: Option<(u64, Timestamp)>) {
        match entry {
            Some((offset, at)) if at < self.at => self.before = offset,
            // Between `asked` and the entry there is none, so none was added before the time.
            Some(_) | None => self.last = asked.saturating_sub(1),
        }
    }

    /// The result: everything behind this offset was added at the time or later.
    pub const fn offset(&self) -> u64 {
        self.before
    }
}
