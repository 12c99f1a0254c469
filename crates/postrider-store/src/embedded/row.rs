//! The layout of rows: columns, and the encoded rest of messages and attempts.
//!
//! Only what is searched for or removed alone has a column; the rest is one blob, which costs
//! less than a column each. A blob begins with the version of its layout.

pub(super) mod attempt;
pub(super) mod message;

use postrider_core::time::Timestamp;
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::error::{self, Inconsistency};

const VERSION: u8 = 1;

/// Encodes into the buffer, replacing its content.
pub(super) fn encode<'b>(value: &impl Serialize, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    buffer.clear();
    buffer.push(VERSION);
    *buffer = postcard::to_extend(value, std::mem::take(buffer))
        .expect("stored types serialize, and a vector takes any length");
    buffer
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> rusqlite::Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(error::undecodable),
        _ => Err(Inconsistency::UnknownVersion.into()),
    }
}

/// Decodes for a caller that can go on without a damaged row: an operator has to look at it,
/// but it must not block everything else.
pub(super) fn decode_or_log<'a, T: Deserialize<'a>>(
    table: &'static str,
    sequence: u64,
    bytes: &'a [u8],
) -> Option<T> {
    decode(bytes)
        .inspect_err(|error| {
            let error = error as &dyn std::error::Error;
            tracing::error!(table, sequence, error, "a row of postrider.db is damaged");
        })
        .ok()
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
