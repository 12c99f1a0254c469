//! A walk along a key in steps. It reads a bounded number of rows, and then returns the key to
//! continue from.

use crate::{
    contract::history::MessageFilter,
    page::{Scan, ScanPage},
    postgres::value,
    weight::{LIST_BYTES, Weight},
};

/// Rows after which a call returns, however few passed its filter.
const MAX_READ: usize = 5_000;

/// Limit of rows of one step.
const MAX_STEP: usize = 1_000;

/// The ids that a walk has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Span {
    pub(in crate::postgres) first: u128,
    pub(in crate::postgres) last: u128,
}

impl Span {
    /// The ids within the filter's times.
    fn of(filter: &MessageFilter) -> Self {
        let first = filter.after.map_or(0, |it| value::first_id_at(it).0);
        let last = filter.before.map_or(u128::MAX, |it| value::first_id_at(it).0.saturating_sub(1));
        Self { first, last }
    }

    /// The ids behind this one.
    fn behind(self, id: u128, ascending: bool) -> Self {
        let Self { first, last } = self;
        if ascending {
            Self { first: first.max(id.saturating_add(1)), last }
        } else {
            Self { first, last: last.min(id.saturating_sub(1)) }
        }
    }

    pub(super) const fn contains(self, id: u128) -> bool {
        self.first <= id && id <= self.last
    }
}

/// One step of a walk.
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Step {
    pub(in crate::postgres) span: Span,
    /// Limit of rows to read.
    pub(in crate::postgres) rows: usize,
    /// Number of items that are needed to complete the page and to know whether it is the last.
    pub(in crate::postgres) wanted: usize,
}

/// A walk and the items that it has found.
pub(in crate::postgres) struct Walk<T, K> {
    /// The part of the key that the walk follows.
    raw: fn(&K) -> u128,
    span: Span,
    ascending: bool,
    limit: usize,
    bytes: usize,
    rows: usize,
    rows_read: usize,
    is_over: bool,
    found: ScanPage<T, K>,
}

impl<T: Weight, K: Copy> Walk<T, K> {
    pub(in crate::postgres) fn new(
        filter: &MessageFilter,
        scan: &Scan<K>,
        raw: fn(&K) -> u128,
    ) -> Self {
        let whole = Span::of(filter);
        let after = scan.after.as_ref();
        let span = after.map_or(whole, |it| whole.behind(raw(it), scan.ascending));
        Self {
            raw,
            span,
            ascending: scan.ascending,
            limit: scan.limit,
            bytes: 0,
            rows: scan.limit.saturating_add(1).min(MAX_STEP),
            rows_read: 0,
            is_over: false,
            found: ScanPage { items: Vec::new(), resume: None },
        }
    }

    /// The next step; none if the walk is over.
    pub(in crate::postgres) fn step(&self) -> Option<Step> {
        let wanted = self.limit + 1 - self.found.items.len();
        (!self.is_over).then_some(Step { span: self.span, rows: self.rows, wanted })
    }

    /// Takes the keys that a step has read, in the order of the walk, each with its item if that
    /// passes the filter. `has_more` is false if the step came to the end of the rows.
    pub(in crate::postgres) fn take(&mut self, read: Vec<(K, Option<T>)>, has_more: bool) {
        let mut last = None;
        self.rows_read += read.len();
        for (key, item) in read {
            if let Some(item) = item {
                if self.found.items.len() == self.limit || self.bytes >= LIST_BYTES {
                    self.is_over = true;
                    self.found.resume = last.or(self.found.resume);
                    return;
                }
                self.bytes += item.weight();
                self.found.items.push(item);
            }
            // Also for a key that does not pass: it is not read again.
            last = Some(key);
        }
        let Some(last) = last.filter(|_| has_more) else {
            self.is_over = true;
            self.found.resume = None;
            return;
        };
        self.is_over = self.rows_read >= MAX_READ;
        self.span = self.span.behind((self.raw)(&last), self.ascending);
        // The page is not complete, so few rows pass: take longer steps.
        self.rows = (self.rows * 4).min(MAX_STEP);
        self.found.resume = Some(last);
    }

    /// Ends the walk where it is, because it has done as much as one call may do.
    pub(in crate::postgres) fn stop(&mut self) {
        self.is_over = true;
    }

    pub(in crate::postgres) fn found(self) -> ScanPage<T, K> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use postrider::MessageId;

    use super::*;

    impl Weight for u128 {
        fn weight(&self) -> usize {
            1
        }
    }

    /// Walks over the ids 1 to `last`; multiples of `modulus` pass.
    fn walk(last: u128, modulus: u128, scan: &Scan<MessageId>) -> ScanPage<u128, u128> {
        let mut walk = Walk::new(&MessageFilter::default(), scan, |id| id.as_u128());
        while let Some(Step { span, rows, .. }) = walk.step() {
            let mut ids: Vec<_> = (1..=last).filter(|&id| span.contains(id)).collect();
            if !scan.ascending {
                ids.reverse();
            }
            ids.truncate(rows);
            let has_more = ids.len() == rows;
            let read = |id| (MessageId::from_u128(id), id.is_multiple_of(modulus).then_some(id));
            walk.take(ids.into_iter().map(read).collect(), has_more);
        }
        let ScanPage { items, resume } = walk.found();
        ScanPage { items, resume: resume.map(MessageId::as_u128) }
    }

    const fn scan(after: Option<u128>, ascending: bool, limit: usize) -> Scan<MessageId> {
        let after = match after {
            None => None,
            Some(after) => Some(MessageId::from_u128(after)),
        };
        Scan { after, ascending, limit }
    }

    #[test]
    fn a_page_ends_with_the_key_to_continue_from() {
        let found = walk(5, 1, &scan(None, true, 2));
        assert_eq!((found.items, found.resume), (vec![1, 2], Some(2)));
        let found = walk(5, 1, &scan(Some(2), true, 3));
        assert_eq!((found.items, found.resume), (vec![3, 4, 5], None));
        let found = walk(5, 1, &scan(Some(4), false, 2));
        assert_eq!((found.items, found.resume), (vec![3, 2], Some(2)));
    }

    #[test]
    fn rows_that_do_not_pass_are_read_once() {
        let found = walk(5_000, 1_000, &scan(None, true, 2));
        assert_eq!((found.items, found.resume), (vec![1_000, 2_000], Some(2_999)));
    }

    #[test]
    fn a_walk_pauses_when_nothing_passes() {
        let found = walk(100_000, 1_000_000, &scan(None, true, 10));
        assert_eq!(found.items, []);
        let resume = found.resume.unwrap();
        assert!((5_000..7_000).contains(&resume), "{resume}");
    }
}
