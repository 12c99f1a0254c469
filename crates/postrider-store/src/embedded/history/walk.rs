//! Walks along the keys of the index. A walk looks at a bounded number of rows and then says
//! where to continue.

use postrider_core::time::Timestamp;
use rusqlite::{Row, Rows};

use crate::{
    contract::history::MessageFilter,
    embedded::{error::IndexError, number::sequence_at},
    error::StoreError,
    page::{Scan, ScanPage},
    weight::{LIST_BYTES, Weight},
};

/// Rows that one call looks at.
const MAX_ROWS: usize = 10_000;

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

/// What a visit of a row found.
pub(in crate::embedded) struct Visited<K, T> {
    /// Where a walk continues that ends here.
    pub(in crate::embedded) key: K,
    pub(in crate::embedded) item: Option<T>,
    /// Bytes that the visit read in addition to the row.
    pub(in crate::embedded) bytes: usize,
}

/// The work that one call may do.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Budget {
    /// Items on the page.
    pub(in crate::embedded) limit: usize,
    /// Bytes that visits read.
    pub(in crate::embedded) bytes: usize,
}

/// Collects the items that `visit` accepts, until the page is full or enough rows were visited.
pub(super) fn walk<T: Weight, K>(
    rows: Rows<'_>,
    limit: usize,
    mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<(K, Option<T>)>,
) -> Result<ScanPage<T, K>, StoreError> {
    walk_within(rows, Budget { limit, bytes: usize::MAX }, |row| {
        let (key, item) = visit(row)?;
        Ok(Visited { key, item, bytes: 0 })
    })
}

/// The same with a limit of the bytes that are read.
pub(in crate::embedded) fn walk_within<T: Weight, K>(
    mut rows: Rows<'_>,
    budget: Budget,
    mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<Visited<K, T>>,
) -> Result<ScanPage<T, K>, StoreError> {
    let mut page = ScanPage { items: Vec::new(), resume: None };
    let (mut visited, mut read, mut bytes) = (0, 0, 0);
    let mut last = None;
    while let Some(row) = rows.next().map_err(IndexError)? {
        if visited == MAX_ROWS || read >= budget.bytes {
            page.resume = last;
            return Ok(page);
        }
        visited += 1;
        let found = visit(row)?;
        read += found.bytes;
        if let Some(item) = found.item {
            // Only an item that does not fit shows that there is another page.
            if page.items.len() == budget.limit || bytes >= LIST_BYTES {
                page.resume = last;
                return Ok(page);
            }
            bytes += item.weight();
            page.items.push(item);
        }
        // The next page continues after rows that were not accepted, too.
        last = Some(found.key);
    }
    Ok(page)
}
