//! What was salvaged, and errors.

use std::{io, path::Path};

use crate::error::StoreError;

/// Descriptions of losses that are kept.
const MAX_LOST: usize = 100_000;

/// What was copied out of a damaged folder, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Messages that were copied, some of them without their payload.
    pub messages: u64,
    /// Attempts that were copied.
    pub attempts: u64,
    /// Other rows that were copied: records, pending deliveries, the audit log and so on.
    pub others: u64,
    /// What was lost, a line each; at most the first 100,000.
    pub lost: Vec<String>,
}

impl Salvaged {
    pub(super) fn lose(&mut self, what: impl Into<String>) {
        if self.lost.len() < MAX_LOST {
            self.lost.push(what.into());
        }
    }

    pub(super) fn lose_all(&mut self, all: impl Iterator<Item = String>) {
        for what in all {
            self.lose(what);
        }
    }
}

/// The error of a file that cannot be used.
pub(super) fn refused(path: &Path, why: &str) -> StoreError {
    let text = format!("{} {why}", path.display());
    StoreError::Unavailable(io::Error::other(text).into())
}
