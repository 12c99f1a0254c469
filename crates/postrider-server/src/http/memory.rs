//! The memory for requests and responses: one budget that callers share fairly. A request takes its
//! part from the first byte of its body until its response is written.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use postrider_core::budget::{Budget, CallerKey};

use crate::api::{error::ApiError, response::ApiResponse};

/// Memory of a request in addition to its body, roughly.
const MIN_HEAD_BYTES: usize = 4 << 10;

/// The caller of requests without a token.
pub(crate) const PUBLIC_CALLER: CallerKey = 0;

/// The caller of requests to listeners and of their responses.
pub(crate) const RELAY_CALLER: CallerKey = 1;

/// The memory for requests and responses.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<Mutex<Budget>>);

/// A part of the budget, which dropping this returns.
#[derive(Debug)]
pub(crate) struct Reservation {
    memory: MemoryBudget,
    holder: CallerKey,
    bytes: usize,
}

impl MemoryBudget {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Budget::new(capacity))))
    }

    /// Reserves memory, if the caller's share permits it.
    pub(crate) fn reserve(&self, holder: CallerKey, bytes: usize) -> Result<Reservation, ApiError> {
        let mut reserved = Reservation { memory: self.clone(), holder, bytes: 0 };
        reserved.grow(bytes)?;
        Ok(reserved)
    }

    /// Reserves memory for bytes that exist already, even if the budget is exhausted.
    pub(crate) fn force(&self, holder: CallerKey, bytes: usize) -> Reservation {
        self.budget().force(holder, bytes);
        Reservation { memory: self.clone(), holder, bytes }
    }

    /// Reserves memory for a request with these headers, without its body.
    pub(crate) fn reserve_request(
        &self,
        holder: CallerKey,
        headers: &HeaderMap,
    ) -> Result<Reservation, ApiError> {
        let headers = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.reserve(holder, headers.sum::<usize>().max(MIN_HEAD_BYTES))
    }

    /// Reserves memory for the response's body until it is written. The response to a change is
    /// never refused, because the change has been made.
    pub(crate) fn hold_response(
        &self,
        holder: CallerKey,
        mut response: ApiResponse,
        is_change: bool,
    ) -> Result<ApiResponse, ApiError> {
        let bytes = response.body.len();
        if bytes > 0 {
            let reserved =
                if is_change { self.force(holder, bytes) } else { self.reserve(holder, bytes)? };
            response.body = reserved.bind(response.body);
        }
        Ok(response)
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        if !self.memory.budget().take(self.holder, bytes) {
            let detail = "the memory for requests and responses is exhausted \
                          (`limits.request_memory`); try again";
            return Err(ApiError::Unavailable(detail, None));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Grows to this size, unless it is larger.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// The same bytes, which return the memory when they are dropped.
    pub(crate) fn bind(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(ReservedBytes { bytes, _reserved: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.budget().release(self.holder, self.bytes);
    }
}

struct ReservedBytes {
    bytes: Bytes,
    _reserved: Reservation,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_response_holds_its_memory_until_its_last_byte_is_dropped() {
        let memory = MemoryBudget::new(1_000);
        let bytes = memory.reserve(1, 400).unwrap().bind(Bytes::from_static(&[0; 400]));
        let rest = bytes.slice(399..);
        drop(bytes);
        assert!(memory.reserve(1, 200).is_err());
        drop(rest);
        let mut reserved = memory.reserve(1, 200).unwrap();
        reserved.grow_to(500).unwrap();
        assert!(reserved.grow(1).is_err());
        drop(reserved);
        assert_eq!(memory.budget().taken(), 0);
    }

    #[test]
    fn the_response_to_a_change_is_sent_even_if_the_memory_is_exhausted() {
        let memory = MemoryBudget::new(1_000);
        let response = ApiResponse::json(StatusCode::ACCEPTED, vec![0; 501]);
        assert!(memory.hold_response(1, response.clone(), false).is_err());
        let held = memory.hold_response(1, response, true).unwrap();
        assert_eq!((held.body.len(), memory.budget().taken()), (501, 501));
    }
}
