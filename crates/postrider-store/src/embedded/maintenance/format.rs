//! Reading the format of a data folder while a server may be using it.

use std::path::Path;

use crate::{
    embedded::{database, files::MAIN, format, loss},
    error::StoreError,
    format_report::FormatReport,
};

/// Memory for pages while reading.
const CACHE_BYTES: u64 = 1 << 20;

/// The format of the data in a folder; `None` if it contains none. Changes nothing.
pub fn format_of(folder: &Path) -> Result<Option<FormatReport>, StoreError> {
    let main = folder.join(MAIN);
    if !main.exists() {
        return Ok(None);
    }
    let db = database::open_reader(&main, CACHE_BYTES)?;
    loss::keep_log_on_close(&db, true)?;
    format::read(&main, &db).map(Some)
}
