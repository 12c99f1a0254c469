//! Memory for requests and responses: one budget from the first byte of a request's body until
//! its response is written, shared fairly among callers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use postrider_core::budget::{Budget, CallerKey};

use crate::api::{error::ApiError, response::ApiResponse};

/// What a request takes in addition to its body, roughly.
const HEAD: usize = 4 << 10;

/// Who holds what clients without a name get.
pub(crate) const PUBLIC: CallerKey = 0;

/// Who holds what is on its way to listening programs, and their responses.
pub(crate) const RELAY: CallerKey = 1;

/// Memory for requests and responses.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Mutex<Budget>>);

/// A part of it, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    memory: Memory,
    holder: CallerKey,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Budget::new(capacity))))
    }

    /// Memory for this many bytes, if the holder's share has room for them.
    pub(crate) fn reserve(&self, holder: CallerKey, bytes: usize) -> Result<Reserved, ApiError> {
        let mut reserved = Reserved { memory: self.clone(), holder, bytes: 0 };
        reserved.grow(bytes)?;
        Ok(reserved)
    }

    /// Memory for bytes that are there already and cannot be refused any more.
    pub(crate) fn force(&self, holder: CallerKey, bytes: usize) -> Reserved {
        self.budget().force(holder, bytes);
        Reserved { memory: self.clone(), holder, bytes }
    }

    /// Memory for a request with these headers, without its body.
    pub(crate) fn enter(
        &self,
        holder: CallerKey,
        headers: &HeaderMap,
    ) -> Result<Reserved, ApiError> {
        let headers = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.reserve(holder, headers.sum::<usize>().max(HEAD))
    }

    /// Keeps the response's body in the budget until it is written. A response to a change is
    /// never refused, because the change has been made.
    pub(crate) fn hold(
        &self,
        holder: CallerKey,
        mut answer: ApiResponse,
        is_change: bool,
    ) -> Result<ApiResponse, ApiError> {
        let bytes = answer.body.len();
        if bytes > 0 {
            let reserved =
                if is_change { self.force(holder, bytes) } else { self.reserve(holder, bytes)? };
            answer.body = reserved.bind(answer.body);
        }
        Ok(answer)
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reserved {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        if !self.memory.budget().take(self.holder, bytes) {
            let detail = "the memory for requests and responses is used up \
                          (`limits.request_memory`); try again";
            return Err(ApiError::Unavailable(detail, None));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Grows unless it is as large already.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// The same bytes, which hold the memory for as long as they exist.
    pub(crate) fn bind(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Held { bytes, _reserved: self })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.memory.budget().release(self.holder, self.bytes);
    }
}

struct Held {
    bytes: Bytes,
    _reserved: Reserved,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_response_holds_its_memory_until_its_last_byte_is_gone() {
        let memory = Memory::new(1_000);
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
    fn a_change_is_answered_although_there_is_no_memory_for_the_response() {
        let memory = Memory::new(1_000);
        let answer = ApiResponse::json(StatusCode::ACCEPTED, vec![0; 501]);
        assert!(memory.hold(1, answer.clone(), false).is_err());
        let held = memory.hold(1, answer, true).unwrap();
        assert_eq!((held.body.len(), memory.budget().taken()), (501, 501));
    }
}
