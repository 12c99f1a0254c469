//! Pagination: from an iterator to a scan over keys, and back.

use std::fmt::Display;

use postrider::api::{ListResponse, Ordering, SearchResponse};
use postrider_core::time::Timestamp;
use postrider_store::{LIST_BYTES, Scan, ScanPage, StoreError, Weight};
use serde::{
    Deserialize,
    de::value::{Error, StrDeserializer},
};

use crate::{
    api::{
        convert::to_wire,
        error::ApiError,
        query::{Limit, query},
    },
    http::memory::Reservation,
    operations::call::Call,
};

/// Maximum number of scans for one page. With a filter that few rows match, each scan fills only a
/// part of the page.
const MAX_SCANS: usize = 20;

/// Maximum number of scans for one page of a search, whose rows are scattered.
const SEARCH_SCANS: usize = 2;

query! {
    /// The page of a list whose newest items come first by default.
    PageQuery {
        /// Maximum number of items on the page.
        limit: Limit,
        /// The `iterator` or `prevIterator` of another page.
        iterator: Option<String>,
        /// The order of the items; descending (newest first) if absent.
        order: Option<Ordering>,
    }
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page<K> {
    limit: usize,
    from: Option<K>,
    /// Whether the page before the iterator is requested.
    backward: bool,
    ascending: bool,
    /// Size of the items at which the page ends, even below its limit.
    bytes: usize,
    /// Memory for the items.
    reserved: Reservation,
}

impl<K: for<'de> Deserialize<'de> + Display + Clone> Page<K> {
    /// The page that a query asks for.
    pub(crate) fn of(call: &Call, query: &PageQuery) -> Result<Self, ApiError> {
        let order = query.order.unwrap_or(Ordering::Descending);
        Self::new(call, query.limit, query.iterator.as_deref(), order)
    }

    /// An iterator is the key after which the page begins; with a minus sign, the key before which
    /// it ends. It is deserialized instead of parsed, because the key can be a stored name that
    /// would not be valid today.
    pub(crate) fn new(
        call: &Call,
        limit: Limit,
        iterator: Option<&str>,
        order: Ordering,
    ) -> Result<Self, ApiError> {
        let (backward, key) = match iterator.map(|it| (it.strip_prefix('-'), it)) {
            None => (false, None),
            Some((Some(key), _)) => (true, Some(key)),
            Some((None, key)) => (false, Some(key)),
        };
        let read = |key| K::deserialize(StrDeserializer::<Error>::new(key));
        let from = key.map(read).transpose().map_err(|_| {
            ApiError::invalid(&["query", "iterator"], "is not an iterator of this list")
        })?;
        let ascending = (order == Ordering::Ascending) != backward;
        let reserved = call.resources.memory.reserve(call.principal.holder, 0)?;
        let bytes = call.settings().limits.page_bytes;
        Ok(Self { limit: limit.0, from, backward, ascending, bytes, reserved })
    }

    /// Fills the page with as many scans as necessary. A page ends early when it reaches its size,
    /// or when there is no memory for more items.
    pub(crate) async fn fill<T: Weight, W>(
        &mut self,
        read: impl FnMut(Scan<K>) -> W,
    ) -> Result<ScanPage<T, K>, ApiError>
    where
        W: Future<Output = Result<ScanPage<T, K>, StoreError>>,
    {
        self.fill_within(MAX_SCANS, read).await
    }

    /// The same for a search: a page may be empty although there are more items.
    pub(crate) async fn fill_search<T: Weight, W>(
        &mut self,
        read: impl FnMut(Scan<K>) -> W,
    ) -> Result<ScanPage<T, K>, ApiError>
    where
        W: Future<Output = Result<ScanPage<T, K>, StoreError>>,
    {
        self.fill_within(SEARCH_SCANS, read).await
    }

    async fn fill_within<T: Weight, W>(
        &mut self,
        max_scans: usize,
        mut read: impl FnMut(Scan<K>) -> W,
    ) -> Result<ScanPage<T, K>, ApiError>
    where
        W: Future<Output = Result<ScanPage<T, K>, StoreError>>,
    {
        let mut filled = ScanPage { items: Vec::new(), resume: self.from.clone() };
        let mut bytes = 0;
        for number in 0..max_scans {
            match self.reserved.grow_to(bytes + LIST_BYTES) {
                Err(error) if number == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {},
            }
            let after = filled.resume.take();
            let limit = self.limit - filled.items.len();
            let found = read(Scan { after, ascending: self.ascending, limit }).await?;
            bytes += found.items.iter().map(Weight::weight).sum::<usize>();
            filled.items.extend(found.items);
            filled.resume = found.resume;
            let is_full = filled.items.len() >= self.limit || bytes >= self.bytes;
            if filled.resume.is_none() || is_full {
                break;
            }
        }
        Ok(filled)
    }

    /// The page as a response.
    pub(crate) fn list<T, O>(
        &self,
        found: ScanPage<T, K>,
        key: impl Fn(&T) -> K,
        out: impl FnMut(T) -> O,
    ) -> ListResponse<O> {
        let ScanPage { mut items, resume } = found;
        let nearest = items.first().map(&key);
        // The scan may have continued after the last item without a match.
        let farthest = resume.clone().or_else(|| items.last().map(&key));
        let (first, last) = if self.backward {
            items.reverse();
            (farthest, nearest)
        } else {
            (nearest, farthest)
        };
        ListResponse {
            data: items.into_iter().map(out).collect(),
            iterator: last.map(|it| it.to_string()),
            prev_iterator: first.map(|it| format!("-{it}")),
            done: resume.is_none(),
        }
    }

    /// The same for a search; `time` is when a key was created, in milliseconds.
    pub(crate) fn search<T, O>(
        &self,
        found: ScanPage<T, K>,
        key: impl Fn(&T) -> K,
        time: impl Fn(&K) -> u64,
        out: impl FnMut(T) -> O,
    ) -> SearchResponse<O> {
        let until = found.resume.as_ref().map(|key| Timestamp::from_millis(time(key)));
        let ListResponse { data, iterator, prev_iterator, done } = self.list(found, key, out);
        SearchResponse { data, iterator, prev_iterator, done, searched_until: until.map(to_wire) }
    }

    /// The same for items that may fail to be shown.
    pub(crate) fn try_list<T, O>(
        &self,
        found: ScanPage<T, K>,
        key: impl Fn(&T) -> K,
        out: impl FnMut(T) -> Result<O, ApiError>,
    ) -> Result<ListResponse<O>, ApiError> {
        let ListResponse { data, iterator, prev_iterator, done } = self.list(found, key, out);
        let data = data.into_iter().collect::<Result<_, _>>()?;
        Ok(ListResponse { data, iterator, prev_iterator, done })
    }
}
