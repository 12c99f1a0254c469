//! Room on the disk: new messages are refused while there is still some, so that everything
//! else goes on: reading, recording attempts, removing things, and a restart.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{
    folder::PAGE_BYTES,
    trouble::{INDEX, TRUTH},
};
use crate::StoreError;

/// Bytes that may be written before the disk is asked again.
const UNCHECKED: usize = 1 << 20;

/// Of a small disk, only this part is kept free.
const SHARE: u64 = 10;

/// What is free on a disk, and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Free {
    disk: u64,
    size: u64,
    /// Room inside the database's file.
    inside: u64,
    /// Length of the logs, which are copied into files that may grow by as much.
    logs: u64,
}

#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    /// Bytes to keep free.
    reserve: u64,
    /// Written since the disk was asked.
    unchecked: usize,
    is_short: bool,
    /// It became short, and a log that is cut off may help.
    wants_cut: bool,
    /// A write was refused since the last one that was not.
    is_refused: bool,
}

/// There is too little room for new messages.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} MiB are free on the disk of {}, {} MiB of it for logs, and `limits.disk_reserve` keeps \
     {} MiB; make room",
    .free.disk >> 20,
    .folder.display(),
    .free.logs >> 20,
    .reserve >> 20
)]
struct Short {
    folder: PathBuf,
    free: Free,
    reserve: u64,
}

impl Room {
    pub(super) fn new(folder: &Path, reserve: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            reserve,
            unchecked: UNCHECKED,
            is_short: false,
            wants_cut: false,
            is_refused: false,
        }
    }

    /// So much was written.
    pub(super) const fn written(&mut self, bytes: usize) {
        self.unchecked = self.unchecked.saturating_add(bytes);
    }

    /// An error if there is no room for new messages.
    pub(super) fn require(&mut self, db: &Connection) -> Result<(), StoreError> {
        if self.is_short || self.unchecked >= UNCHECKED { self.look(db) } else { Ok(()) }
    }

    /// Asks the disk; an error if there is no room for new messages.
    pub(super) fn look(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.unchecked = 0;
        // A system that does not tell has room until a write fails.
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let pages: u64 = db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let free = Free {
            disk: disk.f_bavail.saturating_mul(disk.f_frsize),
            size: disk.f_blocks.saturating_mul(disk.f_frsize),
            inside: pages.saturating_mul(PAGE_BYTES as u64),
            logs: [TRUTH, INDEX].map(|name| self.log_bytes(name)).iter().sum(),
        };
        let is_short = is_short(free, self.reserve);
        self.wants_cut |= is_short && !self.is_short;
        if is_short && !self.is_short {
            tracing::warn!(free = free.disk, "the disk is nearly full; no messages are accepted");
        }
        self.is_short = is_short;
        if is_short {
            let (folder, reserve) = (self.folder.clone(), kept(free, self.reserve));
            return Err(StoreError::Full(Short { folder, free, reserve }.into()));
        }
        Ok(())
    }

    fn log_bytes(&self, name: &str) -> u64 {
        let log = self.folder.join(format!("{name}-wal"));
        std::fs::metadata(log).map_or(0, |it| it.len())
    }

    /// Whether a log that is cut off may help now.
    pub(super) const fn takes_cut(&mut self) -> bool {
        std::mem::replace(&mut self.wants_cut, false)
    }

    /// A write was refused, or was not.
    pub(super) const fn note_refused(&mut self, is_refused: bool) {
        self.is_refused = is_refused;
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.is_refused
    }
}

fn kept(free: Free, reserve: u64) -> u64 {
    reserve.min(free.size / SHARE)
}

/// Room inside the file counts, but the log needs some on the disk, too.
fn is_short(free: Free, reserve: u64) -> bool {
    let kept = kept(free, reserve);
    let disk = free.disk.saturating_sub(free.logs);
    disk < kept / 2 || disk.saturating_add(free.inside) < kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_refused_before_the_disk_is_full() {
        const MIB: u64 = 1 << 20;
        let reserve = 256 * MIB;
        let large = Free { disk: 0, size: 100_000 * MIB, inside: 0, logs: 0 };
        let small = Free { size: 100 * MIB, ..large };
        let cases = [
            ("plenty", Free { disk: 50_000 * MIB, ..large }, false),
            ("just enough", Free { disk: 256 * MIB, ..large }, false),
            ("too little", Free { disk: 256 * MIB - 1, ..large }, true),
            ("nothing", large, true),
            ("room inside", Free { disk: 128 * MIB, inside: 128 * MIB, ..large }, false),
            ("too little for the log", Free { disk: 127 * MIB, inside: 999 * MIB, ..large }, true),
            ("long logs", Free { disk: 300 * MIB, logs: 64 * MIB, ..large }, true),
            ("a small disk", Free { disk: 10 * MIB, ..small }, false),
            ("a small disk that is full", Free { disk: 9 * MIB, ..small }, true),
        ];
        for (name, free, expected) in cases {
            assert_eq!(is_short(free, reserve), expected, "{name}");
        }
        assert!(!is_short(large, 0), "without a reserve");
    }
}
