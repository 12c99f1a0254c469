//! The content of the mark, and its encoding.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::embedded::{main_file::FileVersion, number::JournalPosition};

/// Slots in the file, written alternately.
pub(super) const SLOTS: u64 = 2;

/// A slot is a sector, which a disk writes completely or not at all.
pub(super) const SLOT_BYTES: u64 = SLOT_LENGTH as u64;

const SLOT_LENGTH: usize = 512;

/// The place of the first salt in a write-ahead log.
const SALT_OFFSET: u64 = 16;

const MAGIC: [u8; 8] = *b"PRmark1\n";

/// The length of a mark without its checksum.
const CONTENT_BYTES: usize = 64;

const CHECKSUM_BYTES: usize = 8;

/// How far the main database was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Counts the writes: the mark with the higher number is the newer one.
    pub(super) serial: u64,
    /// The origin of the main database, which distinguishes it from others.
    pub(super) origin: i64,
    /// The last commit.
    pub(super) position: JournalPosition,
    /// The number of messages that were ever accepted.
    pub(super) accepted: u64,
    /// The salt of the log, which grows by one whenever the log is restarted; 0 if unknown.
    pub(super) log_salt: u32,
    /// The file of the main database when it was complete and durable.
    pub(super) main: FileVersion,
}

impl Mark {
    pub(super) fn encode(&self) -> [u8; CONTENT_BYTES + CHECKSUM_BYTES] {
        let fields = [
            self.serial.to_le_bytes(),
            self.origin.to_le_bytes(),
            self.position.0.to_le_bytes(),
            self.accepted.to_le_bytes(),
            u64::from(self.log_salt).to_le_bytes(),
            self.main.bytes.to_le_bytes(),
            u64::from(self.main.changes).to_le_bytes(),
        ];
        let mut bytes = [0; CONTENT_BYTES + CHECKSUM_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        for (slot, field) in bytes[8..CONTENT_BYTES].chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field);
        }
        let sum = checksum(&bytes[..CONTENT_BYTES]);
        bytes[CONTENT_BYTES..].copy_from_slice(&sum);
        bytes
    }

    /// `None` if the bytes are not a complete mark.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, rest) = bytes.split_at_checked(CONTENT_BYTES)?;
        if content[..8] != MAGIC || rest.get(..CHECKSUM_BYTES)? != checksum(content) {
            return None;
        }
        let field = |number: usize| {
            let bytes = content[8 * (number + 1)..8 * (number + 2)].try_into();
            u64::from_le_bytes(bytes.expect("a field has eight bytes"))
        };
        Some(Self {
            serial: field(0),
            origin: field(1).cast_signed(),
            position: JournalPosition(field(2)),
            accepted: field(3),
            log_salt: u32::try_from(field(4)).ok()?,
            main: FileVersion { bytes: field(5), changes: u32::try_from(field(6)).ok()? },
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(bytes);
    digest[..CHECKSUM_BYTES].try_into().expect("a digest is longer than its beginning")
}

/// The marks in both slots, where they are readable; `None` if there is no file.
pub(super) fn read(path: &Path) -> io::Result<Option<[Option<Mark>; 2]>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut slots = bytes.chunks(SLOT_LENGTH).map(Mark::decode);
    Ok(Some([slots.next().flatten(), slots.next().flatten()]))
}

pub(super) fn newest(marks: [Option<Mark>; 2]) -> Option<Mark> {
    marks.into_iter().flatten().max_by_key(|mark| mark.serial)
}

/// The salt in the header of a write-ahead log, if there is one.
pub(super) fn log_salt(log: &Path) -> Option<u32> {
    salt_in(&File::open(log).ok()?)
}

pub(super) fn salt_in(log: &File) -> Option<u32> {
    let mut salt = [0; 4];
    log.read_exact_at(&mut salt, SALT_OFFSET).ok()?;
    Some(u32::from_be_bytes(salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        serial: 7,
        origin: -3,
        position: JournalPosition(1 << 40),
        accepted: 12,
        log_salt: 0xffff_fff0,
        main: FileVersion { bytes: 4096, changes: 9 },
    };

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        assert_eq!(Mark::decode(&MARK.encode()), Some(MARK));
    }

    #[test]
    fn a_torn_mark_is_none() {
        let bytes = MARK.encode();
        for place in 0..bytes.len() {
            let mut torn = bytes;
            torn[place] ^= 1;
            assert_eq!(Mark::decode(&torn), None, "byte {place}");
            assert_eq!(Mark::decode(&bytes[..place]), None, "cut at {place}");
        }
    }

    #[test]
    fn the_newest_readable_mark_counts() {
        let newer = Mark { serial: 8, ..MARK };
        assert_eq!(newest([Some(newer), Some(MARK)]), Some(newer));
        assert_eq!(newest([None, Some(MARK)]), Some(MARK));
        assert_eq!(newest([None, None]), None);
    }
}
