//! Backups: copying a data folder while a server may be using it.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::backup::Backup;

use super::verify::{VerifiedRows, verify_rows};
use crate::{
    embedded::{
        database,
        files::MAIN,
        folder,
        loss::{self, Inspection},
        main_file::MainFile,
    },
    error::StoreError,
    private,
};

/// Memory for pages while copying.
const CACHE_BYTES: u64 = 8 << 20;

/// The name of the copy until it is complete.
const DRAFT: &str = "postrider.db.draft";

/// Copies the store in a folder to another folder, which is created, as it is at one moment.
/// Another process may use the store meanwhile, but not this one. The index is not copied: it is
/// rebuilt when the copy is opened. Returns what was found in the copy, which is kept even if it is
/// damaged.
pub fn backup(from: &Path, to: &Path) -> Result<VerifiedRows, StoreError> {
    copy(from, &loss::inspect(from, false)?, to)
}

/// The same for a store that this process uses.
pub(super) fn backup_open(
    (from, main): (&Path, &MainFile),
    to: &Path,
) -> Result<VerifiedRows, StoreError> {
    copy(from, &loss::inspect_open(from, main)?, to)
}

/// The inspection is from before the copy starts: a running server advances its mark meanwhile.
fn copy(from: &Path, inspection: &Inspection, to: &Path) -> Result<VerifiedRows, StoreError> {
    let main = from.join(MAIN);
    let copy = to.join(MAIN);
    if !main.exists() {
        return Err(refused(io::ErrorKind::NotFound, &main, "does not exist"));
    }
    if copy.exists() {
        return Err(refused(io::ErrorKind::AlreadyExists, &copy, "exists already"));
    }
    let unavailable = |error: io::Error| StoreError::Unavailable(error.into());
    private::create_folder(to).map_err(unavailable)?;
    let draft = to.join(DRAFT);
    folder::remove_database(&draft)?;
    let found = copy_database(&main, &draft, inspection)?;
    fs::rename(&draft, &copy).map_err(unavailable)?;
    fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(unavailable)?;
    Ok(found)
}

/// Copies in one step, which is a reading transaction: writers continue meanwhile, and the copy
/// contains nothing that they write after it started. Then reads the copy, and returns what it found.
fn copy_database(
    from: &Path,
    to: &Path,
    inspection: &Inspection,
) -> Result<VerifiedRows, StoreError> {
    let source = database::open_reader(from, CACHE_BYTES)?;
    loss::keep_log_on_close(&source, true)?;
    inspection.verify(&source, false)?;
    let mut target = database::create(to)?;
    target.pragma_update(None, "synchronous", "FULL")?;
    Backup::new(&source, &mut target)?.run_to_completion(
        i32::MAX,
        Duration::from_millis(10),
        None,
    )?;
    let mut found = VerifiedRows::default();
    verify_rows(&target, &mut found)?;
    Ok(found)
}

fn refused(kind: io::ErrorKind, path: &Path, why: &str) -> StoreError {
    StoreError::Unavailable(io::Error::new(kind, format!("{} {why}", path.display())).into())
}
