//! Limits the work for one request. A model's demands are multiplied by what the sender controls:
//! signatures by secrets, selectors by the length of the body. Limits on either alone would be too
//! strict or too loose.

use std::cell::Cell;

use super::Request;

/// How often each byte of a request may be read, hashed or compared. Known providers need up to 40,
/// with ten secrets.
const PASSES: usize = 64;

/// Bytes that may be read in any case.
const LEAST: usize = 4 << 20;

/// Verifying a public-key signature takes about as long as reading this many bytes.
pub(super) const PUBLIC_KEY: usize = 64 << 10;

/// The bytes that may still be read for one request.
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

    /// Spends this many bytes, if they are left. Once the budget is exhausted, it stays exhausted.
    pub(super) fn take(&self, bytes: usize) -> Option<()> {
        if let Some(left) = self.left.get().checked_sub(bytes).filter(|_| !self.is_exhausted.get())
        {
            self.left.set(left);
            return Some(());
        }
        self.is_exhausted.set(true);
        None
    }

    /// Whether the budget was exhausted. Results since then are unreliable.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Headers;

    #[test]
    fn an_exhausted_budget_stays_exhausted() {
        let body = [0; 1_000];
        let request = Request { method: "POST", url: "", headers: Headers(&[]), body: &body };
        let work = WorkBudget::for_request(&request);
        assert_eq!(work.take(LEAST + 63_000), Some(()));
        assert_eq!(work.take(1_001), None);
        assert!(work.is_exhausted());
        assert_eq!(work.take(1), None);
    }
}
