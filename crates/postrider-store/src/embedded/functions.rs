//! Functions of ours that statements use.

use postrider_core::statistics::Counters;
use rusqlite::{Connection, functions::FunctionFlags};

use super::row;

/// Defines the functions of the index: `merge_counters` adds two encoded [`Counters`].
pub(super) fn define(index: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    index.create_scalar_function("merge_counters", 2, flags, |values| {
        let counters =
            |at| -> rusqlite::Result<Counters> { row::decode(values.get_raw(at).as_blob()?) };
        let mut total = counters(0)?;
        total.merge(&counters(1)?);
        let mut blob = Vec::new();
        row::encode(&total, &mut blob);
        Ok(blob)
    })
}
