//! Copies of a data folder whose server may be running.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::backup::Backup;

use super::{
    folder,
    trouble::TRUTH,
    witness::{self, Examined},
};
use crate::{StoreError, private};

/// Memory for pages while copying.
const CACHE_BYTES: u64 = 8 << 20;

/// What the copy is called until it is complete.
const DRAFT: &str = "postrider.db.draft";

/// Copies the store in a folder to another folder, which is created, as it is at one moment.
/// It may run in this process, in another one, or while no process uses the store. What only
/// readers need is not copied: it is made anew when the copy is opened.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let truth = from.join(TRUTH);
    let copy = to.join(TRUTH);
    // Before the copy begins: a server that runs goes on with its mark.
    let examined = witness::examine(from, false)?;
    if !truth.exists() {
        return Err(refused(io::ErrorKind::NotFound, &truth, "does not exist"));
    }
    if copy.exists() {
        return Err(refused(io::ErrorKind::AlreadyExists, &copy, "exists already"));
    }
    let unavailable = |error: io::Error| StoreError::Unavailable(error.into());
    private::create_folder(to).map_err(unavailable)?;
    let draft = to.join(DRAFT);
    folder::remove_database(&draft)?;
    copy_database(&truth, &draft, &examined)?;
    fs::rename(&draft, &copy).map_err(unavailable)?;
    fs::File::open(to).and_then(|folder| folder.sync_all()).map_err(unavailable)
}

/// All in one step, which is a reading transaction: writers go on beside it, and the copy has
/// nothing of what they write meanwhile.
fn copy_database(from: &Path, to: &Path, examined: &Examined) -> Result<(), StoreError> {
    let source = folder::open_reader(from, CACHE_BYTES)?;
    witness::leave_untouched(&source, true)?;
    examined.verify(&source, false)?;
    let mut target = folder::create(to)?;
    target.pragma_update(None, "synchronous", "FULL")?;
    let copying = Backup::new(&source, &mut target)?;
    copying.run_to_completion(i32::MAX, Duration::from_millis(10), None)?;
    Ok(())
}

fn refused(kind: io::ErrorKind, path: &Path, why: &str) -> StoreError {
    StoreError::Unavailable(io::Error::new(kind, format!("{} {why}", path.display())).into())
}
