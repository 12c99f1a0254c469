//! Pagination: a scan over ordered keys, and one page of it.

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
