//! Pagination: a scan over ordered keys, and one page of it.

use crate::weight::{self, Weight};

/// A scan over keys in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan<K> {
    /// The scan starts after this key; `None` starts at the first one.
    pub after: Option<K>,
    pub ascending: bool,
    /// The maximum number of items on the page.
    pub limit: usize,
}

/// One page of a scan.
///
/// A page may be shorter than the limit although more items follow: if it reached
/// [`LIST_BYTES`](crate::LIST_BYTES), or if few rows match the filter. So every call does a
/// bounded amount of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage<T, K> {
    pub items: Vec<T>,
    /// The key after which the next page starts; `None` if this is the last page.
    pub resume: Option<K>,
}

impl<T: Weight, K> ScanPage<T, K> {
    /// Makes a page of the items that a scan found. The scan looked for one item more than the
    /// limit, so that the page shows whether it is the last one.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let limit = limit.min(weight::fitting(items.iter()));
        let more = items.len() > limit;
        items.truncate(limit);
        let resume = items.last().filter(|_| more).map(key);
        Self { items, resume }
    }
}

impl<T: Weight, K: Ord + Clone> ScanPage<T, K> {
    /// Makes a page of all items of a collection, which come in ascending order of their keys.
    pub fn of(items: impl Iterator<Item = (K, T)>, scan: &Scan<K>) -> Self {
        let mut items: Vec<_> = items
            .filter(|(key, _)| match &scan.after {
                None => true,
                Some(after) if scan.ascending => key > after,
                Some(after) => key < after,
            })
            .collect();
        if !scan.ascending {
            items.reverse();
        }
        let limit = scan.limit.min(weight::fitting(items.iter().map(|(_, item)| item)));
        let more = items.len() > limit;
        items.truncate(limit);
        let resume = items.last().filter(|_| more).map(|(key, _)| key.clone());
        Self { items: items.into_iter().map(|(_, item)| item).collect(), resume }
    }
}
