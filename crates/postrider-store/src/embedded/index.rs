//! The index: the tables that lists are searched in, brought up to date behind the commits.
//!
//! The commit thread offers the changes of each commit. The index thread collects them until
//! there are many or until a reader waits, and writes them sorted by key, so that a page is
//! written once for many rows. Changes that it does not receive in time are not lost: it reads
//! them from the journal, which also bridges a restart. The index file is not synced at each
//! commit; the journal is trimmed only up to the position that the file is known to have on
//! disk.
//!
//! An index that is lost or damaged is rebuilt from the main database while the store serves:
//! see `rebuild`. Readers use the part that is there, see `coverage`.

mod batch;
mod checkpoint;
pub(super) mod counts;
pub(super) mod coverage;
pub(super) mod delivery_state;
pub(super) mod feed;
mod indexer;
mod indexer_error;
mod open;
pub(super) mod part;
mod part_writer;
mod place;
pub(super) mod position;
mod rebuild;
pub(super) mod recent;
pub(super) mod rollups;
mod updates;
mod version;

use std::{sync::Arc, thread::JoinHandle};

use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(super) use self::{
    batch::CANCEL_ENDPOINT, indexer::READ_JOURNAL, part_writer::ATTEMPTS_OF, version::SCHEMA,
};
use self::{
    checkpoint::IndexCheckpoints,
    feed::{IndexFeed, IndexWatch, Shared},
};
pub(super) use self::{indexer::Indexer, open::open};
use super::{sync_failure::SyncFailure, thread};
use crate::error::BoxError;

/// Starts the index thread; it ends when both returned sides are dropped.
pub(super) fn start(
    indexer: Indexer,
    sync: &SyncFailure,
    ended: &CancellationToken,
) -> Result<(IndexFeed, IndexWatch, JoinHandle<()>), BoxError> {
    let (update_tx, updates) = updates::channel();
    let shared = Arc::new(Shared::new(indexer.applied()));
    let progress = indexer.progress();
    let feed = IndexFeed::new(Arc::clone(&shared), update_tx.clone());
    let watch = IndexWatch::new(Arc::clone(&shared), update_tx, progress);
    let checkpoints = IndexCheckpoints::start(indexer.path(), &shared, sync, ended)?;
    let sync = sync.clone();
    let thread = thread::start("store-index", ended, move || {
        indexer.run((&updates, &shared), checkpoints, &sync);
    })?;
    Ok((feed, watch, thread))
}
