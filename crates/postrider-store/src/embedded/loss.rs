//! Detection of lost data, by a second small file that records how far the main database was.
//!
//! `SQLite` ignores a log that is cut off, and creates a new database where one is missing: on
//! its own, a damaged store would start with less data and not report it. So the commit thread
//! writes the position of the main database into `postrider.mark`, after each commit and before
//! its callers learn of it. This costs a write into the page cache and no sync: the mark
//! survives the end of the process, and may lag behind after a power failure. It is never ahead
//! of what is durable, since each commit was synced before; so an undamaged folder always opens.
//!
//! The mark has two slots that are written alternately, each with a checksum, so that a torn
//! write leaves the previous one.

mod finding;
mod mark;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, config::DbConfig};

use self::{
    finding::{Content, DataLoss, FilesFound, Finding},
    mark::{Mark, SLOT_BYTES, SLOTS},
};
use super::{
    files::{self, INDEX, MAIN, MARK},
    folder::FolderError,
    index::position,
    main_file::{self, FileVersion, MainFile},
    number::JournalPosition,
    state,
};
use crate::error::StoreError;

/// The files of a folder before `SQLite` opens any of them, which can destroy evidence.
#[derive(Debug)]
pub(super) struct Inspection {
    folder: PathBuf,
    mark: Option<Mark>,
    finding: Option<Finding>,
}

/// Inspects the files of a folder that this process does not use; an error if the main database is
/// gone, unless that loss is accepted.
pub(super) fn inspect(folder: &Path, accept_loss: bool) -> Result<Inspection, StoreError> {
    let main = main_file::version_of_unused(folder).map_err(unreadable)?;
    inspect_files(folder, main, accept_loss)
}

/// Inspects the files of a folder that this process uses.
pub(super) fn inspect_open(folder: &Path, main: &MainFile) -> Result<Inspection, StoreError> {
    let version = main.version().map_err(unreadable)?;
    inspect_files(folder, Some(version), false)
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable(error.into())
}

fn inspect_files(
    folder: &Path,
    main: Option<FileVersion>,
    accept_loss: bool,
) -> Result<Inspection, StoreError> {
    let marks = mark::read(&folder.join(MARK)).map_err(unreadable)?;
    let mark = marks.and_then(mark::newest);
    if marks.is_some() && mark.is_none() {
        tracing::warn!("{MARK} in {} is damaged and is created again", folder.display());
    }
    let log = files::main_log(folder);
    let found = FilesFound {
        main,
        log_salt: mark::log_salt(&log),
        log_bytes: files::length(&log),
        has_mark: marks.is_some(),
        has_index: files::length(&folder.join(INDEX)) > 0,
    };
    let finding = finding::in_files(&found, mark.as_ref());
    let inspection = Inspection { folder: folder.to_owned(), mark, finding };
    if let Some(gone @ (Finding::Missing | Finding::Empty)) = finding {
        report(inspection.loss(gone, None), accept_loss)?;
    }
    Ok(inspection)
}

/// Keeps `SQLite` from copying the log when a connection to a store that is not yet known to be
/// complete is closed.
pub(super) fn keep_log_on_close(db: &Connection, keep: bool) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

impl Inspection {
    /// Compares the content of the main database with the mark; an error if some of it is lost,
    /// unless the loss is accepted.
    pub(super) fn verify(&self, db: &Connection, accept_loss: bool) -> Result<(), StoreError> {
        let Some(content) = content(db)? else {
            // Nothing was stored there yet.
            let gone = self.mark.is_some() && self.finding.is_none();
            return if gone {
                report(self.loss(Finding::Empty, None), accept_loss)
            } else {
                Ok(())
            };
        };
        let finding = match &self.mark {
            Some(mark) => self.finding.or_else(|| finding::in_content(&content, mark)),
            None => self.behind_index(&content),
        };
        match finding {
            None | Some(Finding::Missing | Finding::Empty) => Ok(()),
            Some(finding) => report(self.loss(finding, Some(&content)), accept_loss),
        }
    }

    /// Describes what of the main database is missing altogether, as far as a damaged one tells.
    pub(super) fn missing(&self, db: &Connection) -> Option<String> {
        let content = content(db).ok().flatten();
        let in_content = || finding::in_content(content.as_ref()?, self.mark.as_ref()?);
        let finding = self.finding.or_else(in_content)?;
        Some(self.loss(finding, content.as_ref()).description())
    }

    /// Without a mark, the position of the index is the only evidence.
    fn behind_index(&self, content: &Content) -> Option<Finding> {
        let index = position::in_file(&self.folder.join(INDEX))?;
        let is_behind = index.origin == content.origin && index.applied > content.position;
        is_behind.then_some(Finding::Behind)
    }

    fn loss(&self, finding: Finding, content: Option<&Content>) -> DataLoss {
        DataLoss::new(&self.folder, finding, self.mark.as_ref(), content)
    }
}

fn report(loss: DataLoss, accept_loss: bool) -> Result<(), StoreError> {
    if accept_loss {
        tracing::warn!(
            "{}; continuing without the missing data, because of `--accept-loss`",
            loss.description()
        );
        return Ok(());
    }
    Err(StoreError::Corrupt { what: loss.file(), source: loss.into() })
}

const LAST_COMMIT: &str = "SELECT position, accepted
    FROM journal
    ORDER BY position DESC
    LIMIT 1";

/// For a database whose journal did not count messages yet.
const LAST_POSITION: &str = "SELECT max(position) FROM journal";

/// How far a main database is, if anything was stored in it. It may have an old schema.
fn content(db: &Connection) -> Result<Option<Content>, StoreError> {
    if !db.table_exists(None, "journal")? {
        return Ok(None);
    }
    let Some(origin) = state::get(db, state::ORIGIN)? else { return Ok(None) };
    let (position, accepted) = if db.column_exists(None, "journal", "accepted")? {
        let last = db.query_row(LAST_COMMIT, [], |row| Ok((row.get(0)?, row.get(1)?)));
        last.optional()?.unwrap_or_default()
    } else {
        let last: Option<JournalPosition> = db.query_row(LAST_POSITION, [], |row| row.get(0))?;
        (last.unwrap_or_default(), None)
    };
    Ok(Some(Content { origin, position, accepted: accepted.unwrap_or(0) }))
}

/// Writes the mark. Owned by the commit thread.
#[derive(Debug)]
pub(super) struct MarkWriter {
    folder: PathBuf,
    main: MainFile,
    file: File,
    /// The log of the main database, once there is one.
    log: Option<File>,
    mark: Mark,
    /// The last write failed.
    is_failing: bool,
}

impl MarkWriter {
    /// Starts to keep the mark of a main database that was verified.
    pub(super) fn start(
        inspection: &Inspection,
        origin: i64,
        (db, main): (&Connection, MainFile),
    ) -> Result<Self, StoreError> {
        let folder = inspection.folder.clone();
        let found = content(db)?;
        // What the mark says of the file must be durable, and so must the folder's entries.
        let version = main.sync().and_then(|()| main.version());
        let version = version.map_err(unusable(&folder.join(MAIN)))?;
        File::open(&folder).and_then(|it| it.sync_all()).map_err(unusable(&folder))?;
        let mark = Mark {
            serial: inspection.mark.map_or(0, |mark| mark.serial),
            origin,
            position: found.map(|content| content.position).unwrap_or_default(),
            accepted: found.map_or(0, |content| content.accepted),
            // A new log starts with a random salt, which says nothing about its age.
            log_salt: 0,
            main: version,
        };
        let path = folder.join(MARK);
        let file = create(&path).map_err(unusable(&path))?;
        let mut writer = Self { folder, main, file, log: None, mark, is_failing: false };
        writer.write();
        writer.file.sync_all().map_err(unusable(&path))?;
        Ok(writer)
    }

    /// Records that everything up to this commit is durable.
    pub(super) fn note_commit(&mut self, position: JournalPosition, accepted: u64) {
        if position == self.mark.position {
            return;
        }
        if self.log.is_none() {
            self.log = File::open(files::main_log(&self.folder)).ok();
        }
        self.mark.position = position;
        self.mark.accepted = accepted;
        let salt = self.log.as_ref().and_then(mark::salt_in);
        self.mark.log_salt = salt.unwrap_or(self.mark.log_salt);
        self.write();
    }

    /// Records that the file itself contains everything that was committed, and is durable.
    pub(super) fn note_complete(&mut self) {
        if let Ok(version) = self.main.version() {
            self.mark.main = version;
            self.write();
        }
    }

    /// Writes the last mark and syncs it. The log is gone if the file is complete.
    pub(super) fn finish(mut self, is_complete: bool) {
        if is_complete {
            self.mark.log_salt = 0;
            self.note_complete();
        }
        if let Err(error) = self.file.sync_all() {
            tracing::warn!(error = &error as &dyn std::error::Error, "{MARK} cannot be synced");
        }
    }

    /// A mark that cannot be written lags behind: less is detected, and nothing is reported that
    /// is not lost.
    fn write(&mut self) {
        self.mark.serial += 1;
        let offset = (self.mark.serial % SLOTS) * SLOT_BYTES;
        let written = self.file.write_all_at(&self.mark.encode(), offset);
        if let Err(error) = &written
            && !self.is_failing
        {
            tracing::warn!(error = error as &dyn std::error::Error, "{MARK} cannot be written");
        }
        self.is_failing = written.is_err();
    }
}

/// The error of a file that cannot be used.
fn unusable(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    |source| FolderError::Unusable { path, source }.into()
}

/// Opens the file at its full length, so that a full disk cannot stop it from being written.
fn create(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let length = SLOTS * SLOT_BYTES;
    let found = file.metadata()?.len();
    if found < length {
        let missing = usize::try_from(length - found).unwrap_or_default();
        file.write_all_at(&vec![0; missing], found)?;
    }
    Ok(file)
}
