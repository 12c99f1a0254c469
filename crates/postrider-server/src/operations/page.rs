//! Pages of lists: from an iterator to a walk over keys, and back.

use std::fmt::Display;

use postrider::api::{ListResponse, Ordering};
use postrider_store::{LIST_BYTES, Scan, ScanPage, StoreError, Weight};
use serde::{
    Deserialize,
    de::value::{Error, StrDeserializer},
};

use crate::{
    api::{error::ApiError, query::Limit},
    http::memory::Reservation,
    operations::call::Call,
};

/// Walks that one request makes at most; with a filter that few rows pass, each brings only
/// a part of a page.
const MAX_WALKS: usize = 20;

/// Which part of a list to show.
#[derive(Debug)]
pub(crate) struct Page<K> {
    limit: usize,
    from: Option<K>,
    /// The page before the iterator is asked for.
    backward: bool,
    ascending: bool,
    /// Bytes of items after which the page ends, whatever its limit.
    bytes: usize,
    /// Memory for the items.
    reserved: Reservation,
}

impl<K: for<'de> Deserialize<'de> + Display + Clone> Page<K> {
    /// An iterator names the key to go on behind; with a minus sign, the key to go back from.
    /// It is deserialized, because the key may be a stored name that would not parse today.
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

    /// Fills the page by walking as often as it takes. A page ends early when it has its bytes,
    /// or when there is no memory for more of them.
    pub(crate) async fn fill<T: Weight, W>(
        &mut self,
        mut walk: impl FnMut(Scan<K>) -> W,
    ) -> Result<ScanPage<T, K>, ApiError>
    where
        W: Future<Output = Result<ScanPage<T, K>, StoreError>>,
    {
        let mut filled = ScanPage { items: Vec::new(), resume: self.from.clone() };
        let mut bytes = 0;
        for number in 0..MAX_WALKS {
            match self.reserved.grow_to(bytes + LIST_BYTES) {
                Err(error) if number == 0 => return Err(error),
                Err(_) => break,
                Ok(()) => {},
            }
            let after = filled.resume.take();
            let limit = self.limit - filled.items.len();
            let found = walk(Scan { after, ascending: self.ascending, limit }).await?;
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

    /// What the caller sees of what was found.
    pub(crate) fn list<T, O>(
        &self,
        found: ScanPage<T, K>,
        key: impl Fn(&T) -> K,
        out: impl FnMut(T) -> O,
    ) -> ListResponse<O> {
        let ScanPage { mut items, resume } = found;
        let nearest = items.first().map(&key);
        // The walk may have gone on behind the last item without finding another one.
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
}
