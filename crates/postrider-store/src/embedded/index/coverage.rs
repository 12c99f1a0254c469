//! What the index contains while it is being rebuilt.

use postrider_core::time::Timestamp;

use crate::{
    embedded::{history::span::Span, number::MessageSequence},
    error::StoreError,
    index_rebuild::IndexRebuild,
};

/// The sequences, of messages and of attempts, that the index contains without gaps. A rebuild
/// goes from the newest to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Coverage {
    /// Everything from this sequence on is in the index.
    pub(super) first: u64,
    /// The oldest sequence that is stored.
    pub(super) oldest: u64,
    /// The newest sequence when the rebuild started.
    pub(super) newest: u64,
}

impl Coverage {
    pub(in crate::embedded) const COMPLETE: Self = Self { first: 0, oldest: 0, newest: 0 };

    /// Nothing can be read from the index.
    pub(in crate::embedded) const NOTHING: Self =
        Self { first: u64::MAX, oldest: 0, newest: u64::MAX };

    pub(in crate::embedded) const fn is_complete(self) -> bool {
        self.first == 0
    }

    /// The rebuild that is going on.
    pub(in crate::embedded) fn rebuild(self) -> Option<IndexRebuild> {
        if self.is_complete() {
            return None;
        }
        let first = self.first.min(self.newest);
        let total = u128::from(self.newest.saturating_sub(self.oldest)).max(1);
        let done = u128::from(self.newest - first) * 100 / total;
        let percent = u8::try_from(done.min(99)).unwrap_or(99);
        // The oldest part of the first millisecond may be missing.
        let since = MessageSequence(first).time().as_millis() + 1;
        Some(IndexRebuild { since: Timestamp::from_millis(since), percent })
    }

    /// An error unless everything from this sequence on is in the index.
    pub(in crate::embedded) fn require(self, first: u64) -> Result<(), StoreError> {
        match self.rebuild() {
            Some(rebuild) if first < self.first => Err(StoreError::Rebuilding(rebuild)),
            Some(_) | None => Ok(()),
        }
    }

    /// An error unless the whole index is there.
    pub(in crate::embedded) fn require_all(self) -> Result<(), StoreError> {
        self.require(0)
    }

    /// The part of the span that the index contains; an error if the walk would start with a
    /// sequence that is missing.
    pub(in crate::embedded) fn part_of(
        self,
        span: Span,
        ascending: bool,
    ) -> Result<Covered, StoreError> {
        if span.first >= self.first {
            return Ok(Covered { span, missing: None });
        }
        self.require(if ascending { span.first } else { span.last })?;
        Ok(Covered { span: Span { first: self.first, ..span }, missing: self.rebuild() })
    }
}

/// The part of a span that the index contains.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Covered {
    pub(in crate::embedded) span: Span,
    /// Set if there may be more before the part.
    pub(in crate::embedded) missing: Option<IndexRebuild>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Coverage = Coverage { first: 600, oldest: 100, newest: 1_100 };

    #[test]
    fn a_walk_is_limited_to_what_the_index_contains() {
        for (first, last, ascending, expected) in [
            (600, 700, true, Some((600, false))),
            (600, 700, false, Some((600, false))),
            (599, 700, true, None),
            (599, 700, false, Some((600, true))),
            (0, 599, false, None),
            (0, 599, true, None),
        ] {
            let part = HALF.part_of(Span { first, last }, ascending).ok();
            let part = part.map(|it| (it.span.first, it.missing.is_some()));
            assert_eq!(part, expected, "{first} {last} {ascending}");
            let all = Coverage::COMPLETE.part_of(Span { first, last }, ascending).unwrap();
            assert_eq!((all.span.first, all.missing), (first, None));
        }
    }

    #[test]
    fn progress_is_the_part_of_the_period_that_is_done() {
        let percent = |coverage: Coverage| coverage.rebuild().map(|it| it.percent);
        assert_eq!(percent(HALF), Some(50));
        assert_eq!(percent(Coverage { first: 1, ..HALF }), Some(99));
        assert_eq!(percent(Coverage { first: u64::MAX >> 1, ..HALF }), Some(0));
        assert_eq!(percent(Coverage::NOTHING), Some(0));
        assert_eq!(percent(Coverage::COMPLETE), None);
    }
}
