//! The private copy of the damaged files.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use postrider_core::time::Timestamp;
use rusqlite::Connection;

use super::report::{Salvaged, refused};
use crate::{
    embedded::{
        database::{self, PAGE_BYTES},
        error,
        files::{self, INDEX, LOCK, MAIN},
        folder::{self, FolderError},
        format,
        number::sequence_at,
    },
    error::StoreError,
    private,
};

const COPIED_MAIN: &str = "damaged.db";
const COPIED_INDEX: &str = "damaged-index.db";

/// Memory for pages while reading.
const CACHE_BYTES: u64 = 64 << 20;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// Where `SQLite` stores the number of pages in the header.
const PAGE_COUNT: std::ops::Range<usize> = 28..32;

/// The clock of the machine may have run ahead of the file's time.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(86_400);

/// The part of the header that is the same in every database of ours: the name of the format, the
/// size of the pages, the write-ahead log, and the shares of the payload.
const HEADER: &[u8; 24] = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20";

/// Keeps servers out of the damaged folder, if it has a lock.
pub(super) fn lock(folder: &Path) -> Result<Option<File>, StoreError> {
    let unusable =
        |source| StoreError::from(FolderError::Unusable { path: folder.to_owned(), source });
    match File::open(folder.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(error)),
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(folder.to_owned()).into()),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        },
    }
}

/// Copies of the damaged files, which `SQLite` may change.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    from: PathBuf,
    to: PathBuf,
    newest: Timestamp,
}

impl PrivateCopy {
    /// Copies the main database and its log.
    pub(super) fn of(from: &Path, to: &Path, report: &mut Salvaged) -> Result<Self, StoreError> {
        let main = from.join(MAIN);
        if files::length(&main) == 0 {
            return Err(refused(&main, "is missing or empty: nothing of it can be read"));
        }
        let copy = Self { from: from.to_owned(), to: to.to_owned(), newest: newest_time(from) };
        folder::remove_database(&copy.main())?;
        let mut unreadable = copy.file(MAIN, COPIED_MAIN)?;
        if files::main_log(from).exists() {
            let log = [MAIN, "-wal"].concat();
            unreadable.extend(copy.file(&log, &[COPIED_MAIN, "-wal"].concat())?);
        }
        for place in unreadable {
            report.lose(place);
        }
        let repaired = repair_header(&copy.main());
        repaired.map_err(|error| StoreError::Unavailable(error.into()))?;
        copy.open()?;
        format::upgrade_copy(&copy.main())?;
        Ok(copy)
    }

    pub(super) fn main(&self) -> PathBuf {
        self.to.join(COPIED_MAIN)
    }

    /// No message or attempt has a higher sequence.
    pub(super) fn newest_sequence(&self) -> i64 {
        i64::try_from(sequence_at(self.newest)).unwrap_or(i64::MAX)
    }

    /// Opens the copy of the main database.
    pub(super) fn open(&self) -> Result<Connection, StoreError> {
        let db = database::open_reader(&self.main(), CACHE_BYTES)?;
        // Rows are not read from pages that do not add up.
        db.pragma_update(None, "cell_size_check", true)?;
        let found: rusqlite::Result<bool> = db.table_exists(None, "messages");
        match found {
            Ok(true) => Ok(db),
            Ok(false) => Err(refused(
                &self.from.join(MAIN),
                "has no table of messages: it is not a database of postrider, or its first page is \
                 damaged; restore a backup",
            )),
            Err(error) if error::is_damage(&error) => Err(refused(
                &self.from.join(MAIN),
                "is damaged where it lists its tables, so nothing else can be found in it; restore \
                 a backup",
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// A copy of the index, which lists messages that the main database may have lost.
    pub(super) fn open_index(&self) -> Result<Option<Connection>, StoreError> {
        if files::length(&self.from.join(INDEX)) == 0 {
            return Ok(None);
        }
        let copy = self.to.join(COPIED_INDEX);
        folder::remove_database(&copy)?;
        self.file(INDEX, COPIED_INDEX)?;
        if files::index_log(&self.from).exists() {
            let log = [INDEX, "-wal"].concat();
            self.file(&log, &[COPIED_INDEX, "-wal"].concat())?;
        }
        Ok(database::open_reader(&copy, CACHE_BYTES).ok())
    }

    pub(super) fn remove(&self) -> Result<(), StoreError> {
        folder::remove_database(&self.main())?;
        folder::remove_database(&self.to.join(COPIED_INDEX))
    }

    /// Copies a file; returns descriptions of the parts that could not be read, which are zero in
    /// the copy.
    fn file(&self, name: &str, copy: &str) -> Result<Vec<String>, StoreError> {
        let unreadable = copy_readable(&self.from.join(name), &self.to.join(copy));
        let unreadable = unreadable.map_err(|error| StoreError::Unavailable(error.into()))?;
        let place = |offset: u64| format!("{name}: the page at byte {offset} cannot be read");
        Ok(unreadable.into_iter().map(place).collect())
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        // After an error, which is what the caller learns of.
        self.remove().ok();
    }
}

/// When the files were last written, with some allowance.
fn newest_time(folder: &Path) -> Timestamp {
    let paths = [folder.join(MAIN), files::main_log(folder)];
    let times = paths.iter().filter_map(|path| fs::metadata(path).ok()?.modified().ok());
    let newest = times.max().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let allowed = newest.unwrap_or_default() + CLOCK_DIFFERENCE;
    Timestamp::from_millis(u64::try_from(allowed.as_millis()).unwrap_or(u64::MAX))
}

/// Copies a file page by page where it cannot be read in larger pieces. Returns the places of the
/// pages that cannot be read.
fn copy_readable(from: &Path, to: &Path) -> io::Result<Vec<u64>> {
    let source = File::open(from)?;
    let target = private::options().write(true).create(true).truncate(true).open(to)?;
    let length = source.metadata()?.len();
    let mut unreadable = Vec::new();
    let mut buffer = vec![0; PIECE_BYTES];
    let mut offset = 0;
    while offset < length {
        let rest = usize::try_from(length - offset).unwrap_or(PIECE_BYTES);
        let piece = &mut buffer[..rest.min(PIECE_BYTES)];
        if source.read_exact_at(piece, offset).is_err() {
            read_pages(&source, piece, offset, &mut unreadable);
        }
        target.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(unreadable)
}

fn read_pages(source: &File, piece: &mut [u8], offset: u64, unreadable: &mut Vec<u64>) {
    for (page, at) in piece.chunks_mut(PAGE_BYTES).zip((offset..).step_by(PAGE_BYTES)) {
        if source.read_exact_at(page, at).is_err() {
            page.fill(0);
            unreadable.push(at);
        }
    }
}

/// Restores the constant part of the header, and the length that the header names: `SQLite` opens
/// no file that is shorter. What is missing reads as damaged pages.
fn repair_header(main: &Path) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(main)?;
    let page = PAGE_BYTES as u64;
    let length = file.metadata()?.len();
    file.write_all_at(HEADER, 0)?;
    let mut count = [0; 4];
    if length >= PAGE_COUNT.end as u64 {
        file.read_exact_at(&mut count, PAGE_COUNT.start as u64)?;
    }
    let named = u64::from(u32::from_be_bytes(count)) * page;
    // A damaged count must not make a file that no disk holds.
    let plausible = if named <= length.saturating_mul(1_000) { named } else { 0 };
    file.set_len(length.next_multiple_of(page).max(plausible))
}
