//! Opening the index, and creating it when there is none that can be used.

use std::path::PathBuf;

use rusqlite::Connection;

use super::{
    counts::Subjects,
    coverage::Coverage,
    indexer::{Indexer, Opened},
    indexer_error::IndexerError,
    position::{self, IndexPosition},
    rebuild::{self, Rebuild},
    version::{REBUILDING, VERSION},
};
use crate::{
    embedded::{
        database, error,
        folder::{self, Folder},
        number::JournalPosition,
        numbers::SharedNumbers,
        options::Options,
        state,
    },
    error::StoreError,
};

const JOURNAL_CACHE_BYTES: u64 = 1 << 20;

const FIRST_POSITION: &str = "SELECT min(position) FROM journal";

const LAST_POSITION: &str = "SELECT coalesce(max(position), 0) FROM journal";

/// Where the index is, and how it is opened.
#[derive(Debug)]
pub(super) struct IndexPlace {
    pub(super) path: PathBuf,
    /// The origin of the main database.
    origin: i64,
    options: Options,
}

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

impl IndexPlace {
    /// The index, if there is one that belongs to the main database, and whose position the
    /// journal continues.
    fn open_existing(
        &self,
        main: &Connection,
        position: JournalPosition,
    ) -> Result<Option<Opened>, IndexerError> {
        let index = database::open_index(&self.path, &self.options)?;
        let version: usize = index.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let coverage = match version {
            VERSION => Some(Coverage::COMPLETE),
            REBUILDING => rebuild::resume(&index, main)?,
            _ => None,
        };
        let Some(coverage) = coverage else { return Ok(None) };
        let found = position::of(&index)?.filter(|found| found.origin == self.origin);
        let Some(found) = found else { return Ok(None) };
        let first: Option<JournalPosition> =
            main.query_row(FIRST_POSITION, [], |row| row.get(0)).map_err(IndexerError::Main)?;
        let is_usable =
            found.applied <= position && first.is_none_or(|first| first <= found.applied.next());
        let rebuild = (!coverage.is_complete()).then(|| self.rebuild(coverage));
        Ok(is_usable.then_some(Opened { index, applied: found.applied, rebuild }))
    }

    /// A new index behind all commits that there are.
    pub(super) fn create_behind(&self, main: &Connection) -> Result<Opened, IndexerError> {
        let position = main.query_row(LAST_POSITION, [], |row| row.get(0));
        self.create(main, position.map_err(IndexerError::Main)?)
    }

    /// A new index in place of the one that cannot be used. It has the changes after this
    /// position from the journal, and those before from a rebuild.
    fn create(&self, main: &Connection, applied: JournalPosition) -> Result<Opened, IndexerError> {
        folder::remove_database(&self.path).map_err(IndexerError::Replace)?;
        let index = database::open_index(&self.path, &self.options)?;
        let coverage = rebuild::start(main).map_err(IndexerError::Main)?;
        index.execute_batch("BEGIN IMMEDIATE")?;
        index.execute_batch(include_str!("../schema/index.sql"))?;
        state::set(&index, state::APPLIED, &applied)?;
        state::set(&index, state::ORIGIN, &self.origin)?;
        rebuild::store(&index, coverage)?;
        // Other versions rebuild it from the start.
        index.pragma_update(None, "user_version", REBUILDING)?;
        index.execute_batch("COMMIT")?;
        if coverage.newest > 0 {
            tracing::warn!("the index is rebuilt from postrider.db in the background");
        }
        Ok(Opened { index, applied, rebuild: Some(self.rebuild(coverage)) })
    }

    fn rebuild(&self, coverage: Coverage) -> Rebuild {
        Rebuild::new(coverage, self.options.rebuild_pace)
    }
}
