//! How much work one request may cause. What a model asks for is multiplied by what a stranger
//! sends: signatures by secrets, places by the length of a body. Limits on either alone would have
//! to be too strict or would allow too much.

use std::cell::Cell;

use super::Request;

/// How often each byte of a request may be read, hashed or compared. The providers of the table
/// need up to 40, with ten secrets.
const PASSES: usize = 64;

/// Bytes that may be read whatever the length of the request.
const LEAST: usize = 4 << 20;

/// Checking a signature of a public key takes as long as reading this many bytes, roughly.
pub(super) const PUBLIC_KEY: usize = 64 << 10;

/// Bytes that may still be read for one request.
pub(super) struct WorkBudget {
    left: Cell<usize>,
    is_exhausted: Cell<bool>,
}

impl WorkBudget {
    pub(super) fn for_request(request: &Request<'_>) -> Self {
        let length = request.body.len().saturating_add(request.url.len());
        let left = length.saturating_mul(PASSES).saturating_add(LEAST);
        Self { left: Cell::new(left), is_exhausted: Cell::new(false) }
    }

    /// Takes as many bytes, if there are enough left. Once there are not, there never are again.
    pub(super) fn take(&self, bytes: usize) -> Option<()> {
        if let Some(left) = self.left.get().checked_sub(bytes).filter(|_| !self.is_exhausted.get())
        {
            self.left.set(left);
            return Some(());
        }
        self.is_exhausted.set(true);
        None
    }

    /// Whether there was not enough: nothing that was found out since then is to be relied on.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Headers;

    #[test]
    fn work_that_was_spent_once_stays_spent() {
        let body = [0; 1_000];
        let request = Request { method: "POST", url: "", headers: Headers(&[]), body: &body };
        let work = WorkBudget::for_request(&request);
        assert_eq!(work.take(LEAST + 63_000), Some(()));
        assert_eq!(work.take(1_001), None);
        assert!(work.is_exhausted());
        assert_eq!(work.take(1), None);
    }
}
