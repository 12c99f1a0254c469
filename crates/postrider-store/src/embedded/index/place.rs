//! The file of the index: opening the one that is there, and creating one in its place.

use std::path::PathBuf;

use rusqlite::Connection;

use super::{
    coverage::Coverage,
    indexer_error::IndexerError,
    position,
    rebuild::{self, Rebuild},
    recent::{Recent, Sizes},
    version::{self, REBUILDING, VERSION},
};
use crate::embedded::{database, folder, number::JournalPosition, options::Options, state};

const FIRST_POSITION: &str = "SELECT min(position) FROM journal";

const LAST_POSITION: &str = "SELECT coalesce(max(position), 0) FROM journal";

/// What an indexer starts with.
pub(super) struct Opened {
    pub(super) index: Connection,
    pub(super) applied: JournalPosition,
    pub(super) rebuild: Option<Rebuild>,
    pub(super) recent: Recent,
}

/// Where the index is, and how it is opened.
#[derive(Debug)]
pub(super) struct IndexPlace {
    pub(super) path: PathBuf,
    /// The origin of the main database.
    pub(super) origin: i64,
    pub(super) options: Options,
}

impl IndexPlace {
    /// The index, if there is one that belongs to the main database, and whose position the
    /// journal continues.
    pub(super) fn open_existing(
        &self,
        main: &Connection,
        position: JournalPosition,
    ) -> Result<Option<Opened>, IndexerError> {
        let index = database::open_index(&self.path, &self.options)?;
        let coverage = match version::upgraded(&index)? {
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
        let recent = self.recent(&index)?;
        Ok(is_usable.then_some(Opened { index, applied: found.applied, rebuild, recent }))
    }

    /// A new index behind all commits that there are.
    pub(super) fn create_behind(&self, main: &Connection) -> Result<Opened, IndexerError> {
        let position = main.query_row(LAST_POSITION, [], |row| row.get(0));
        self.create(main, position.map_err(IndexerError::Main)?)
    }

    /// A new index in place of the one that cannot be used. It has the changes after this
    /// position from the journal, and those before from a rebuild.
    pub(super) fn create(
        &self,
        main: &Connection,
        applied: JournalPosition,
    ) -> Result<Opened, IndexerError> {
        folder::remove_database(&self.path).map_err(IndexerError::Replace)?;
        let index = database::open_index(&self.path, &self.options)?;
        let coverage = rebuild::start(main).map_err(IndexerError::Main)?;
        index.execute_batch("BEGIN IMMEDIATE")?;
        index.execute_batch(version::SCHEMA)?;
        state::set(&index, state::APPLIED, &applied)?;
        state::set(&index, state::ORIGIN, &self.origin)?;
        rebuild::store(&index, coverage)?;
        // Other versions rebuild it from the start.
        index.pragma_update(None, "user_version", REBUILDING)?;
        index.execute_batch("COMMIT")?;
        if coverage.newest > 0 {
            tracing::warn!("the index is rebuilt from postrider.db in the background");
        }
        let (rebuild, recent) = (Some(self.rebuild(coverage)), self.recent(&index)?);
        Ok(Opened { index, applied, rebuild, recent })
    }

    fn recent(&self, index: &Connection) -> rusqlite::Result<Recent> {
        Recent::open(index, Sizes::new(self.options.large_batch))
    }

    fn rebuild(&self, coverage: Coverage) -> Rebuild {
        Rebuild::new(coverage, self.options.rebuild_pace)
    }
}
