//! Cursors of exports that follow the numbers of rows.

use crate::{
    error::StoreError,
    transfer::{self, Cursor},
};

/// A cursor after a numbered row.
pub(super) fn after_number(number: u64) -> Vec<u8> {
    u128::from(number).to_be_bytes().to_vec()
}

/// The number of the last row that was exported.
pub(super) fn number_in(cursor: &Cursor) -> Result<u64, StoreError> {
    u64::try_from(cursor.id()?).map_err(|error| transfer::corrupt("progress of a copy", error))
}
