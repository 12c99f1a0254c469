//! Why a store is unavailable, in words that a client of the API may read.

use std::error::Error;

use crate::{embedded, error::StoreError, postgres};

impl StoreError {
    /// Why the store is unavailable, without addresses, paths and data; the log has those. `None`
    /// for other errors, and for causes of which nothing is known.
    pub fn reason(&self) -> Option<&'static str> {
        let Self::Unavailable(cause) = self else { return None };
        let mut next: Option<&(dyn Error + 'static)> = Some(&**cause);
        while let Some(error) = next {
            let found = embedded::reason(error).or_else(|| postgres::reason(error));
            if found.is_some() {
                return found;
            }
            next = error.source();
        }
        None
    }
}
