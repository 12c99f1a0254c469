//! The layout of rows: columns, and the encoded rest of messages and attempts.
//!
//! Only what is searched for or removed alone has a column; the rest is one blob, which costs
//! less than a column each. A blob begins with the version of its layout.
//!
//! `SQLite` does not notice a bit that a disk flipped in a row's content. So the rows of messages
//! and attempts, which are what is delivered and shown, have a checksum (CRC-32C). It is in the
//! blob, because a column behind a large body would cost every reader a walk through that body.

pub(super) mod attempt;
pub(super) mod message;

use postrider_core::time::Timestamp;
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::{
    error::{self, DamagedRow, Inconsistency},
    number::IdTail,
};

/// The layout of blobs without a checksum, which is also that of rows of earlier versions.
const PLAIN: u8 = 1;

/// The layout of blobs with a checksum before their content. All bits differ from the other one's, so
/// that flipped bits do not make one of the other.
const CHECKED: u8 = !PLAIN;

/// Version and checksum.
const HEADER_BYTES: usize = 5;

/// What a row's checksum covers in addition to its blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowKey {
    pub(super) table: &'static str,
    pub(super) sequence: u64,
    pub(super) tail: IdTail,
    /// The number of the application, 0 if the row has none.
    pub(super) owner: u32,
}

impl RowKey {
    fn checksum(self, content: &[u8]) -> u32 {
        let sum = crc32c::crc32c(&self.sequence.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.tail.0.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.owner.to_le_bytes());
        crc32c::crc32c_append(sum, content)
    }

    /// The error of a row whose content does not match its checksum.
    pub(super) fn damaged(self) -> rusqlite::Error {
        DamagedRow { table: self.table, sequence: self.sequence }.into()
    }
}

/// The content of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// It was written by an earlier version, without a checksum.
    Plain(&'a [u8]),
    /// It matches its checksum.
    Checked(&'a [u8]),
}

/// Encodes `lead` and the value with a checksum of both and the key into the buffer, replacing its
/// content.
pub(super) fn encode_checked<'b>(
    key: RowKey,
    lead: &[u8],
    value: &impl Serialize,
    buffer: &'b mut Vec<u8>,
) -> &'b [u8] {
    buffer.clear();
    buffer.extend_from_slice(&[CHECKED, 0, 0, 0, 0]);
    buffer.extend_from_slice(lead);
    fill(value, buffer);
    let sum = key.checksum(&buffer[HEADER_BYTES..]);
    buffer[1..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    buffer
}

/// The content of a row's blob; an error if it does not match its checksum.
pub(super) fn check(key: RowKey, bytes: &[u8]) -> rusqlite::Result<Content<'_>> {
    match bytes.split_first() {
        Some((&PLAIN, content)) => Ok(Content::Plain(content)),
        Some((&CHECKED, rest)) => {
            let (sum, content) = rest.split_first_chunk().ok_or_else(|| key.damaged())?;
            if u32::from_le_bytes(*sum) != key.checksum(content) {
                return Err(key.damaged());
            }
            Ok(Content::Checked(content))
        },
        _ => Err(key.damaged()),
    }
}

/// Encodes into the buffer, replacing its content.
pub(super) fn encode<'b>(value: &impl Serialize, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.push(PLAIN);
    fill(value, buffer);
    buffer
}

fn fill(value: &impl Serialize, buffer: &mut Vec<u8>) {
    *buffer = postcard::to_extend(value, std::mem::take(buffer))
        .expect("stored types serialize, and a vector takes any length");
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> rusqlite::Result<T> {
    match bytes.split_first() {
        Some((&PLAIN, content)) => content_as(content),
        _ => Err(Inconsistency::UnknownVersion.into()),
    }
}

pub(super) fn content_as<'a, T: Deserialize<'a>>(content: &'a [u8]) -> rusqlite::Result<T> {
    postcard::from_bytes(content).map_err(error::undecodable)
}

/// For a caller that can go on without a damaged row: an operator has to look at it, but it must
/// not block everything else. Other errors stay errors.
pub(super) fn intact<T>(
    table: &'static str,
    sequence: u64,
    read: rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error::is_damage(&error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(table, sequence, error, "a row of postrider.db is damaged");
            Ok(None)
        },
        Err(error) => Err(error),
    }
}

/// An id's bits as a key that sorts like the id.
pub(super) const fn blob(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

/// The key from which a list of ids without a first one starts: before all others in its direction.
pub(super) const fn edge(ascending: bool) -> &'static [u8] {
    // Longer than an id, so that it sorts after every one.
    if ascending { &[] } else { &[0xff; 17] }
}

/// An id starts with its time in milliseconds, which has 48 bits.
const LAST_TIME: u64 = (1 << 48) - 1;
const BITS_BELOW_TIME: u32 = 80;

/// The lowest id that can be created at this moment or later.
pub(super) fn first_id_at(at: Timestamp) -> [u8; 16] {
    blob(u128::from(at.as_millis().min(LAST_TIME)) << BITS_BELOW_TIME)
}

/// Reads the bits of an id that [`blob`] wrote.
pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    row.get(column).map(u128::from_be_bytes)
}

pub(super) fn blob_of<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

pub(super) fn optional_blob_of<'a>(
    row: &'a Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<&'a [u8]>> {
    Ok(row.get_ref(column)?.as_blob_or_null()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: RowKey =
        RowKey { table: "messages", sequence: 7, tail: IdTail(u64::MAX - 3), owner: 2 };

    #[test]
    fn rows_of_earlier_versions_have_no_checksum_and_are_read() {
        let mut buffer = Vec::new();
        let blob = encode(&"text", &mut buffer);
        let Content::Plain(content) = check(KEY, blob).unwrap() else { panic!("has a checksum") };
        assert_eq!(content_as::<&str>(content).unwrap(), "text");
    }

    proptest! {
        #[test]
        fn a_flipped_bit_of_the_blob_or_of_the_key_is_noticed(
            value in proptest::collection::vec(any::<u8>(), 0..100),
            lead in proptest::collection::vec(any::<u8>(), 0..5),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let mut buffer = Vec::new();
            let blob = encode_checked(KEY, &lead, &value, &mut buffer).to_vec();
            let Content::Checked(content) = check(KEY, &blob).unwrap() else {
                panic!("has no checksum")
            };
            let decoded: Vec<u8> = content_as(&content[lead.len()..]).unwrap();
            prop_assert_eq!(decoded, value);

            let others = [
                RowKey { sequence: KEY.sequence ^ (1 << bit), ..KEY },
                RowKey { tail: IdTail(KEY.tail.0 ^ (1 << bit)), ..KEY },
                RowKey { owner: KEY.owner ^ (1 << bit), ..KEY },
            ];
            prop_assert!(others.into_iter().all(|other| check(other, &blob).is_err()));
            let mut flipped = blob.clone();
            flipped[at.index(blob.len())] ^= 1 << bit;
            prop_assert!(check(KEY, &flipped).is_err());
        }
    }
}
