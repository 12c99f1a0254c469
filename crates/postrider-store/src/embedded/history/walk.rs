//! Walks along the keys of the index. A walk looks at a bounded number of rows and then says
//! where to continue.

use rusqlite::{Row, Rows};

use crate::{
    embedded::error::IndexError,
    error::StoreError,
    index_rebuild::IndexRebuild,
    page::ScanPage,
    weight::{LIST_BYTES, Weight},
};

/// Rows that one call looks at.
const MAX_ROWS: usize = 10_000;

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
    /// Set if rows are missing behind the last one, because the index is being rebuilt.
    pub(in crate::embedded) missing: Option<IndexRebuild>,
}

impl Budget {
    pub(in crate::embedded) const fn items(limit: usize, missing: Option<IndexRebuild>) -> Self {
        Self { limit, bytes: usize::MAX, missing }
    }
}

/// Collects the items that `visit` accepts, until the page is full or enough rows were visited.
pub(super) fn walk<T: Weight, K>(
    rows: Rows<'_>,
    budget: Budget,
    mut visit: impl FnMut(&Row<'_>) -> rusqlite::Result<(K, Option<T>)>,
) -> Result<ScanPage<T, K>, StoreError> {
    walk_within(rows, budget, |row| {
        let (key, item) = visit(row)?;
        Ok(Visited { key, item, bytes: 0 })
    })
}

/// The same for visits that say how many bytes they read.
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
    match budget.missing {
        // Only a page with items shows that the list goes on.
        Some(rebuild) if page.items.is_empty() => return Err(StoreError::Rebuilding(rebuild)),
        Some(_) => page.resume = last,
        None => {},
    }
    Ok(page)
}
