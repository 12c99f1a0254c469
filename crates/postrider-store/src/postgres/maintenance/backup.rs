//! Backups are not the store's work: the database has tools of its own for them.

use crate::{error::StoreError, postgres::error::DatabaseError};

pub(super) fn backup() -> Result<(), StoreError> {
    Err(DatabaseError::unavailable("use pg_dump or the backups of the database").into())
}
