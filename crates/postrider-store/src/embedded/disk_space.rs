//! The check for free disk space. New messages are refused while some space is left, so that
//! everything else keeps working: reading, recording attempts, removing data, restarting.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{database::PAGE_BYTES, files};
use crate::error::StoreError;

/// Bytes that may be written before the disk is checked again.
const UNCHECKED: usize = 1 << 20;

/// On a small disk, at most this part of it is kept free.
const SMALL_DISK_PART: u64 = 10;

/// The free space of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FreeSpace {
    disk: u64,
    /// The size of the disk.
    size: u64,
    /// Unused pages of the main database.
    inside: u64,
    /// The length of the logs. Their pages are copied into the files, which may grow by as much.
    logs: u64,
}

#[derive(Debug)]
pub(super) struct DiskSpace {
    folder: PathBuf,
    /// Bytes to keep free.
    reserve: u64,
    /// Bytes written since the disk was checked.
    unchecked: usize,
    is_low: bool,
    /// Space just became low, and truncating a log may help.
    wants_truncation: bool,
    /// A write was refused since the last one that succeeded.
    is_refused: bool,
}

/// Too little space is left for new messages.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} MiB are free on the disk of {}, {} MiB of it for logs, and `limits.disk_reserve` keeps \
     {} MiB; free disk space",
    .free.disk >> 20,
    .folder.display(),
    .free.logs >> 20,
    .reserve >> 20
)]
struct LowDiskSpace {
    folder: PathBuf,
    free: FreeSpace,
    reserve: u64,
}

impl DiskSpace {
    pub(super) fn new(folder: &Path, reserve: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            reserve,
            unchecked: UNCHECKED,
            is_low: false,
            wants_truncation: false,
            is_refused: false,
        }
    }

    /// Counts bytes that were written.
    pub(super) const fn note_written(&mut self, bytes: usize) {
        self.unchecked = self.unchecked.saturating_add(bytes);
    }

    /// An error if there is no space for new messages. Checks the disk only when enough was
    /// written to matter, or while space is low.
    pub(super) fn require(&mut self, db: &Connection) -> Result<(), StoreError> {
        if self.is_low || self.unchecked >= UNCHECKED { self.check(db) } else { Ok(()) }
    }

    /// Checks the disk; an error if there is no space for new messages.
    pub(super) fn check(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.unchecked = 0;
        // If the system does not tell, there is space until a write fails.
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let pages: u64 = db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let logs = [files::main_log(&self.folder), files::index_log(&self.folder)];
        let free = FreeSpace {
            disk: disk.f_bavail.saturating_mul(disk.f_frsize),
            size: disk.f_blocks.saturating_mul(disk.f_frsize),
            inside: pages.saturating_mul(PAGE_BYTES as u64),
            logs: logs.iter().map(|log| files::length(log)).sum(),
        };
        let is_low = is_low(free, self.reserve);
        if is_low && !self.is_low {
            self.wants_truncation = true;
            tracing::warn!(free = free.disk, "the disk is nearly full; no messages are accepted");
        }
        self.is_low = is_low;
        if is_low {
            let (folder, reserve) = (self.folder.clone(), effective_reserve(free, self.reserve));
            return Err(StoreError::Full(LowDiskSpace { folder, free, reserve }.into()));
        }
        Ok(())
    }

    /// Whether truncating the log may help. True once each time space becomes low.
    pub(super) const fn take_truncation(&mut self) -> bool {
        std::mem::replace(&mut self.wants_truncation, false)
    }

    /// Records whether the last write was refused.
    pub(super) const fn note_refused(&mut self, is_refused: bool) {
        self.is_refused = is_refused;
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.is_refused
    }
}

fn effective_reserve(free: FreeSpace, reserve: u64) -> u64 {
    reserve.min(free.size / SMALL_DISK_PART)
}

/// Unused pages inside the file count as free, but the log needs space outside of it.
fn is_low(free: FreeSpace, reserve: u64) -> bool {
    let reserve = effective_reserve(free, reserve);
    let disk = free.disk.saturating_sub(free.logs);
    disk < reserve / 2 || disk.saturating_add(free.inside) < reserve
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_refused_before_the_disk_is_full() {
        const MIB: u64 = 1 << 20;
        let reserve = 256 * MIB;
        let large = FreeSpace { disk: 0, size: 100_000 * MIB, inside: 0, logs: 0 };
        let small = FreeSpace { size: 100 * MIB, ..large };
        let little_for_the_log = FreeSpace { disk: 127 * MIB, inside: 999 * MIB, ..large };
        let cases = [
            ("plenty", FreeSpace { disk: 50_000 * MIB, ..large }, false),
            ("just enough", FreeSpace { disk: 256 * MIB, ..large }, false),
            ("too little", FreeSpace { disk: 256 * MIB - 1, ..large }, true),
            ("nothing", large, true),
            ("unused pages", FreeSpace { disk: 128 * MIB, inside: 128 * MIB, ..large }, false),
            ("too little for the log", little_for_the_log, true),
            ("long logs", FreeSpace { disk: 300 * MIB, logs: 64 * MIB, ..large }, true),
            ("a small disk", FreeSpace { disk: 10 * MIB, ..small }, false),
            ("a small disk that is full", FreeSpace { disk: 9 * MIB, ..small }, true),
        ];
        for (name, free, expected) in cases {
            assert_eq!(is_low(free, reserve), expected, "{name}");
        }
        assert!(!is_low(large, 0), "without a reserve");
    }
}
