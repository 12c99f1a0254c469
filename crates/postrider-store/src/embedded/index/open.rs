//! Opening the index when the store is opened.

use super::{
    counts::Subjects, indexer::Indexer, indexer_error::IndexerError, place::IndexPlace,
    position::IndexPosition,
};
use crate::{
    embedded::{database, error, folder::Folder, numbers::SharedNumbers, options::Options},
    error::StoreError,
};

const JOURNAL_CACHE_BYTES: u64 = 1 << 20;

/// Opens the index. If there is none that can be used, a new one is filled in the background;
/// small ones are complete at once.
pub(in crate::embedded) fn open(
    folder: &Folder,
    main_position: IndexPosition,
    options: &Options,
    numbers: SharedNumbers,
) -> Result<Indexer, StoreError> {
    let IndexPosition { origin, applied: position } = main_position;
    let main = database::open_reader(&folder.main(), JOURNAL_CACHE_BYTES)?;
    let place = IndexPlace { path: folder.index(), origin, options: options.clone() };
    let existing = match place.open_existing(&main, position) {
        Ok(existing) => existing,
        Err(IndexerError::Index(error)) if error::is_damage(&error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the index is damaged");
            None
        },
        Err(error) => return Err(error.into()),
    };
    let opened = match existing {
        Some(existing) => existing,
        None => place.create(&main, position)?,
    };
    let mut indexer = Indexer::new(place, main, Subjects::new(numbers), opened);
    indexer.rebuild_step()?;
    Ok(indexer)
}
