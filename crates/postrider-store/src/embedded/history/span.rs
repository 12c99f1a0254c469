//! The sequences that a walk visits.

use postrider_core::time::Timestamp;

use crate::{contract::history::MessageFilter, embedded::number::sequence_at, page::Scan};

/// The end of `SQLite`'s integers.
const LAST: u64 = u64::MAX >> 1;

/// The first and the last sequence, of messages or of attempts, that a walk visits.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Span {
    pub(in crate::embedded) first: u64,
    pub(in crate::embedded) last: u64,
}

impl Span {
    /// The sequences of the period `since..until`.
    pub(in crate::embedded) fn between(since: Timestamp, until: Timestamp) -> Self {
        let first = sequence_at(since).min(LAST);
        Self { first, last: sequence_at(until).saturating_sub(1).min(LAST) }
    }

    /// The part of the filter's period that the scan has not visited yet.
    pub(in crate::embedded) fn of<K>(
        filter: &MessageFilter,
        scan: &Scan<K>,
        sequence: impl Fn(&K) -> u64,
    ) -> Self {
        let end = Timestamp::from_millis(u64::MAX);
        let period = Self::between(filter.after.unwrap_or_default(), filter.before.unwrap_or(end));
        match &scan.after {
            None => period,
            Some(after) if scan.ascending => {
                Self { first: period.first.max(sequence(after) + 1), ..period }
            },
            Some(after) => {
                Self { last: period.last.min(sequence(after).saturating_sub(1)), ..period }
            },
        }
    }
}
