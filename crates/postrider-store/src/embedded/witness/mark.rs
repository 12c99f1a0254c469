//! What the mark says, and how it is written down.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use sha2::{Digest, Sha256};

/// Places in the file, written in turn.
pub(super) const SLOTS: u64 = 2;

/// A place is a sector, which a disk writes wholly or not at all.
pub(super) const SLOT_BYTES: u64 = 512;

const MAGIC: [u8; 8] = *b"PRmark1\n";

/// Bytes of a mark without its checksum.
const PLAIN: usize = 64;

const CHECKSUM: usize = 8;

/// How far the truth was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Mark {
    /// Counts the writes: the mark with the higher one is the newer.
    pub(super) serial: u64,
    /// Tells the truth from others.
    pub(super) origin: i64,
    /// The last commit.
    pub(super) position: u64,
    /// Messages that were ever accepted.
    pub(super) accepted: u64,
    /// The salt of the truth's log, which grows by one whenever the log begins again; 0 if it
    /// is not known.
    pub(super) log_salt: u32,
    /// The truth's file when it was whole and durable.
    pub(super) whole: Whole,
}

/// What tells an older copy of the truth's file, or a part of it, from the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::embedded) struct Whole {
    pub(super) bytes: u64,
    /// Grows at least with each start of a server.
    pub(super) changes: u32,
}

impl Mark {
    pub(super) fn encode(&self) -> [u8; PLAIN + CHECKSUM] {
        let fields = [
            self.serial.to_le_bytes(),
            self.origin.to_le_bytes(),
            self.position.to_le_bytes(),
            self.accepted.to_le_bytes(),
            u64::from(self.log_salt).to_le_bytes(),
            self.whole.bytes.to_le_bytes(),
            u64::from(self.whole.changes).to_le_bytes(),
        ];
        let mut bytes = [0; PLAIN + CHECKSUM];
        bytes[..8].copy_from_slice(&MAGIC);
        for (place, field) in bytes[8..PLAIN].chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field);
        }
        let sum = checksum(&bytes[..PLAIN]);
        bytes[PLAIN..].copy_from_slice(&sum);
        bytes
    }

    /// `None` if the bytes are not a whole mark.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (plain, rest) = bytes.split_at_checked(PLAIN)?;
        if plain[..8] != MAGIC || rest.get(..CHECKSUM)? != checksum(plain) {
            return None;
        }
        let field = |number: usize| {
            let bytes = plain[8 * (number + 1)..8 * (number + 2)].try_into();
            u64::from_le_bytes(bytes.expect("a field has eight bytes"))
        };
        Some(Self {
            serial: field(0),
            origin: field(1).cast_signed(),
            position: field(2),
            accepted: field(3),
            log_salt: u32::try_from(field(4)).ok()?,
            whole: Whole { bytes: field(5), changes: u32::try_from(field(6)).ok()? },
        })
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(bytes);
    digest[..CHECKSUM].try_into().expect("a digest is longer than its beginning")
}

/// Both places of the file, whole or not; `None` if there is no file.
pub(super) fn read(path: &Path) -> io::Result<Option<[Option<Mark>; 2]>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut slots = bytes.chunks(512).map(Mark::decode);
    Ok(Some([slots.next().flatten(), slots.next().flatten()]))
}

pub(super) fn newest(marks: [Option<Mark>; 2]) -> Option<Mark> {
    marks.into_iter().flatten().max_by_key(|it| it.serial)
}

/// Length and change counter of a database; `None` if there is no file.
pub(super) fn whole(truth: &Path) -> io::Result<Option<Whole>> {
    let file = match File::open(truth) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = file.metadata()?.len();
    let mut counter = [0; 4];
    let changes = match file.read_exact_at(&mut counter, 24) {
        Ok(()) => u32::from_be_bytes(counter),
        Err(_) => 0,
    };
    Ok(Some(Whole { bytes, changes }))
}

/// The salt in the header of a write-ahead log, if there is one.
pub(super) fn log_salt(log: &Path) -> Option<u32> {
    salt_in(&File::open(log).ok()?)
}

pub(super) fn salt_in(log: &File) -> Option<u32> {
    let mut salt = [0; 4];
    log.read_exact_at(&mut salt, 16).ok()?;
    Some(u32::from_be_bytes(salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        serial: 7,
        origin: -3,
        position: 1 << 40,
        accepted: 12,
        log_salt: 0xffff_fff0,
        whole: Whole { bytes: 4096, changes: 9 },
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
    fn the_newest_whole_mark_counts() {
        let newer = Mark { serial: 8, ..MARK };
        assert_eq!(newest([Some(newer), Some(MARK)]), Some(newer));
        assert_eq!(newest([None, Some(MARK)]), Some(MARK));
        assert_eq!(newest([None, None]), None);
    }
}
