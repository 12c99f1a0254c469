//! A walk along a key, in steps, that looks at a bounded number of rows and then says where to
//! go on.

use crate::{LIST_BYTES, MessageFilter, Scan, ScanPage, Weight, postgres::value};

/// Rows that one call looks at, about.
const LOOKS: usize = 5_000;

/// Most rows of one step.
const STEP: usize = 1_000;

/// First and last id that a walk may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) u128, pub(super) u128);

impl Span {
    /// What the filter's times leave.
    fn of(filter: &MessageFilter) -> Self {
        let first = filter.after.map_or(0, |it| value::first_id_at(it).0);
        let last = filter.before.map_or(u128::MAX, |it| value::first_id_at(it).0.saturating_sub(1));
        Self(first, last)
    }

    /// What is left of it behind the id.
    fn behind(self, id: u128, ascending: bool) -> Self {
        let Self(first, last) = self;
        if ascending {
            Self(first.max(id.saturating_add(1)), last)
        } else {
            Self(first, last.min(id.saturating_sub(1)))
        }
    }

    pub(super) const fn contains(self, id: u128) -> bool {
        self.0 <= id && id <= self.1
    }
}

/// What one step is to look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) span: Span,
    /// Most rows.
    pub(super) rows: usize,
    /// So many that pass are enough.
    pub(super) wanted: usize,
}

/// A walk and what it has found.
pub(super) struct Walk<T, K> {
    /// The bits by which the walk goes.
    raw: fn(&K) -> u128,
    span: Span,
    ascending: bool,
    limit: usize,
    bytes: usize,
    rows: usize,
    looks: usize,
    is_over: bool,
    found: ScanPage<T, K>,
}

impl<T: Weight, K: Copy> Walk<T, K> {
    pub(super) fn new(filter: &MessageFilter, scan: &Scan<K>, raw: fn(&K) -> u128) -> Self {
        let whole = Span::of(filter);
        let after = scan.after.as_ref();
        let span = after.map_or(whole, |it| whole.behind(raw(it), scan.ascending));
        Self {
            raw,
            span,
            ascending: scan.ascending,
            limit: scan.limit,
            bytes: 0,
            rows: scan.limit.saturating_add(1).min(STEP),
            looks: 0,
            is_over: false,
            found: ScanPage { items: Vec::new(), resume: None },
        }
    }

    /// What to look at next, if that is not all.
    pub(super) fn step(&self) -> Option<Step> {
        let wanted = self.limit + 1 - self.found.items.len();
        (!self.is_over).then_some(Step { span: self.span, rows: self.rows, wanted })
    }

    /// Takes what a step looked at, in the order of the walk: each key, with what it stands for
    /// if that passed. A step that looked at fewer rows than it might have came to the end,
    /// unless it `has_more`.
    pub(super) fn take(&mut self, looked: Vec<(K, Option<T>)>, has_more: bool) {
        let mut last = None;
        self.looks += looked.len();
        for (key, item) in looked {
            if let Some(item) = item {
                if self.found.items.len() == self.limit || self.bytes >= LIST_BYTES {
                    self.is_over = true;
                    self.found.resume = last.or(self.found.resume);
                    return;
                }
                self.bytes += item.weight();
                self.found.items.push(item);
            }
            // What does not pass is behind us as well.
            last = Some(key);
        }
        let Some(last) = last.filter(|_| has_more) else {
            self.is_over = true;
            self.found.resume = None;
            return;
        };
        self.is_over = self.looks >= LOOKS;
        self.span = self.span.behind((self.raw)(&last), self.ascending);
        // Few pass: it takes longer steps.
        self.rows = (self.rows * 4).min(STEP);
        self.found.resume = Some(last);
    }

    pub(super) fn found(self) -> ScanPage<T, K> {
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

    /// Walks over the ids 1 to `last`, of which those pass that can be divided by `modulus`.
    fn walk(last: u128, modulus: u128, scan: &Scan<MessageId>) -> ScanPage<u128, u128> {
        let mut walk = Walk::new(&MessageFilter::default(), scan, |id| id.as_u128());
        while let Some(Step { span, rows, .. }) = walk.step() {
            let mut ids: Vec<_> = (1..=last).filter(|&id| span.contains(id)).collect();
            if !scan.ascending {
                ids.reverse();
            }
            ids.truncate(rows);
            let has_more = ids.len() == rows;
            let look = |id| (MessageId::from_u128(id), id.is_multiple_of(modulus).then_some(id));
            walk.take(ids.into_iter().map(look).collect(), has_more);
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
    fn a_page_ends_with_the_place_to_go_on_from() {
        let found = walk(5, 1, &scan(None, true, 2));
        assert_eq!((found.items, found.resume), (vec![1, 2], Some(2)));
        let found = walk(5, 1, &scan(Some(2), true, 3));
        assert_eq!((found.items, found.resume), (vec![3, 4, 5], None));
        let found = walk(5, 1, &scan(Some(4), false, 2));
        assert_eq!((found.items, found.resume), (vec![3, 2], Some(2)));
    }

    #[test]
    fn what_does_not_pass_is_looked_at_once() {
        let found = walk(5_000, 1_000, &scan(None, true, 2));
        assert_eq!((found.items, found.resume), (vec![1_000, 2_000], Some(2_999)));
    }

    #[test]
    fn a_walk_gives_up_for_now_when_nothing_passes() {
        let found = walk(100_000, 1_000_000, &scan(None, true, 10));
        assert_eq!(found.items, []);
        let resume = found.resume.unwrap();
        assert!((5_000..7_000).contains(&resume), "{resume}");
    }
}
