//! A small second file that knows how far the truth was, so that lost data is noticed.
//!
//! `SQLite` ignores a log that is cut off, and makes a new database where one is missing: on
//! its own, a damaged store starts with less and says nothing. So the commit thread writes
//! into `postrider.mark` how far the truth is, after each commit and before anyone is told
//! about it. This costs a write into the page cache and no sync: the mark survives the end of
//! the process, and may lag behind after a power failure. It is never ahead of what is
//! durable, since each commit was synced before; a start on an undamaged folder is never
//! refused.
//!
//! The mark has two places that are written in turn, each with a checksum, so that a torn
//! write leaves the one before.

mod loss;
mod mark;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, config::DbConfig};

pub(super) use self::mark::Mark;
use self::{
    loss::{Content, Finding, Loss},
    mark::{SLOT_BYTES, SLOTS, Whole},
};
use super::{
    index,
    trouble::{INDEX, TRUTH},
};
use crate::StoreError;

/// The file's name.
pub(super) const NAME: &str = "postrider.mark";

const LAST_COMMIT: &str = "SELECT position, accepted
    FROM journal
    ORDER BY position DESC
    LIMIT 1";

/// Before the journal counted messages.
const LAST_POSITION: &str = "SELECT max(position) FROM journal";

const ORIGIN: &str = "SELECT value FROM state WHERE key = 'origin'";

/// What a folder looks like before `SQLite` opens anything in it, which can destroy evidence.
#[derive(Debug)]
pub(super) struct Examined {
    folder: PathBuf,
    mark: Option<Mark>,
    finding: Option<Finding>,
}

/// Looks at the files of a folder; an error if there is no truth where there was one, unless
/// that loss is accepted.
pub(super) fn examine(folder: &Path, accept_loss: bool) -> Result<Examined, StoreError> {
    let unreadable = |error: io::Error| StoreError::Unavailable(error.into());
    let marks = mark::read(&folder.join(NAME)).map_err(unreadable)?;
    let mark = marks.and_then(mark::newest);
    if marks.is_some() && mark.is_none() {
        tracing::warn!("{NAME} in {} is damaged, and is made again", folder.display());
    }
    let found = loss::Files {
        truth: mark::whole(&folder.join(TRUTH)).map_err(unreadable)?,
        log_salt: mark::log_salt(&log_of(folder)),
        log_bytes: length(&log_of(folder)),
        has_mark: marks.is_some(),
        has_index: length(&folder.join(INDEX)) > 0,
    };
    let finding = loss::of_files(&found, mark.as_ref());
    let examined = Examined { folder: folder.to_owned(), mark, finding };
    if let Some(gone @ (Finding::Missing | Finding::Empty)) = finding {
        end(examined.loss(gone, None), accept_loss)?;
    }
    Ok(examined)
}

/// Keeps `SQLite` from changing files when a connection to a store that is not yet known to be
/// whole is closed.
pub(super) fn leave_untouched(db: &Connection, untouched: bool) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, untouched).map(drop)
}

impl Examined {
    /// Makes sure that the truth has everything that it is known to have had; an error if not,
    /// unless the loss is accepted.
    pub(super) fn verify(&self, db: &Connection, accept_loss: bool) -> Result<(), StoreError> {
        let Some(content) = content(db)? else {
            // Nothing was stored there yet.
            let gone = self.mark.is_some() && self.finding.is_none();
            return if gone { end(self.loss(Finding::Empty, None), accept_loss) } else { Ok(()) };
        };
        let finding = match &self.mark {
            Some(mark) => self.finding.or_else(|| loss::of_content(&content, mark)),
            None => self.behind_index(&content),
        };
        match finding {
            None | Some(Finding::Missing | Finding::Empty) => Ok(()),
            Some(finding) => end(self.loss(finding, Some(&content)), accept_loss),
        }
    }

    /// Without a mark, the index is the only witness.
    fn behind_index(&self, content: &Content) -> Option<Finding> {
        let known = index::position_in(&self.folder.join(INDEX))?;
        (known.0 == content.origin && known.1 > content.position).then_some(Finding::Behind)
    }

    fn loss(&self, finding: Finding, content: Option<&Content>) -> Loss {
        Loss::new(&self.folder, finding, self.mark.as_ref(), content)
    }
}

fn end(loss: Loss, accept_loss: bool) -> Result<(), StoreError> {
    if accept_loss {
        tracing::warn!("{}; going on without it, as `--accept-loss` asks", loss.what());
        return Ok(());
    }
    Err(StoreError::Corrupt { what: loss.file(), source: loss.into() })
}

/// How far a truth is, if anything was stored in it.
fn content(db: &Connection) -> Result<Option<Content>, StoreError> {
    if !db.table_exists(None, "journal")? {
        return Ok(None);
    }
    let Some(origin) = db.query_row(ORIGIN, [], |row| row.get(0)).optional()? else {
        return Ok(None);
    };
    let (position, accepted) = if db.column_exists(None, "journal", "accepted")? {
        let last = db.query_row(LAST_COMMIT, [], |row| Ok((row.get(0)?, row.get(1)?)));
        last.optional()?.unwrap_or((0, None))
    } else {
        (db.query_row(LAST_POSITION, [], |row| row.get::<_, Option<u64>>(0))?.unwrap_or(0), None)
    };
    Ok(Some(Content { origin, position, accepted: accepted.unwrap_or(0) }))
}

fn log_of(folder: &Path) -> PathBuf {
    folder.join(format!("{TRUTH}-wal"))
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |it| it.len())
}

/// The commit thread's side: writes the mark.
#[derive(Debug)]
pub(super) struct Witness {
    folder: PathBuf,
    file: File,
    /// The log of the truth, once there is one.
    log: Option<File>,
    mark: Mark,
    /// The last write failed.
    failing: bool,
}

impl Witness {
    /// Begins to keep the mark of a truth that was verified.
    pub(super) fn begin(
        examined: &Examined,
        origin: i64,
        db: &Connection,
    ) -> Result<Self, StoreError> {
        let unavailable = |error: io::Error| StoreError::Unavailable(error.into());
        let folder = examined.folder.clone();
        let found = content(db)?;
        let (position, accepted) = found.map_or((0, 0), |it| (it.position, it.accepted));
        // What the mark says of the file must be durable, and so must the folder's entries.
        let truth = folder.join(TRUTH);
        File::open(&truth).and_then(|it| it.sync_all()).map_err(unavailable)?;
        File::open(&folder).and_then(|it| it.sync_all()).map_err(unavailable)?;
        let whole = mark::whole(&truth).map_err(unavailable)?;
        let mark = Mark {
            serial: examined.mark.map_or(0, |it| it.serial),
            origin,
            position,
            accepted,
            // A log that is begun from nothing has a salt of its own.
            log_salt: 0,
            whole: whole.unwrap_or_default(),
        };
        let file = create(&folder.join(NAME)).map_err(unavailable)?;
        let mut witness = Self { folder, file, log: None, mark, failing: false };
        witness.write();
        witness.file.sync_all().map_err(unavailable)?;
        Ok(witness)
    }

    /// Everything up to this commit is durable.
    pub(super) fn note(&mut self, position: u64, accepted: u64) {
        if position == self.mark.position {
            return;
        }
        if self.log.is_none() {
            self.log = File::open(log_of(&self.folder)).ok();
        }
        self.mark.position = position;
        self.mark.accepted = accepted;
        let salt = self.log.as_ref().and_then(mark::salt_in);
        self.mark.log_salt = salt.unwrap_or(self.mark.log_salt);
        self.write();
    }

    /// The truth's file has everything that was committed, and is durable.
    pub(super) fn note_whole(&mut self) {
        if let Ok(Some(whole)) = mark::whole(&self.folder.join(TRUTH)) {
            self.mark.whole = whole;
            self.write();
        }
    }

    /// Ends in order: there is no log any more if the file is whole. The mark becomes durable.
    pub(super) fn end(mut self, is_whole: bool) {
        if is_whole {
            self.mark.log_salt = 0;
            self.note_whole();
        }
        if let Err(error) = self.file.sync_all() {
            tracing::warn!(error = &error as &dyn std::error::Error, "{NAME} cannot be synced");
        }
    }

    /// A mark that cannot be written falls behind, which only makes it less sharp.
    fn write(&mut self) {
        self.mark.serial += 1;
        let offset = (self.mark.serial % SLOTS) * SLOT_BYTES;
        let written = self.file.write_all_at(&self.mark.encode(), offset);
        if let Err(error) = &written
            && !self.failing
        {
            tracing::warn!(error = error as &dyn std::error::Error, "{NAME} cannot be written");
        }
        self.failing = written.is_err();
    }
}

/// Opens the file with the room that it needs, so that a full disk does not keep it behind.
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
