//! Backups, which are left to the tools of the database.

use crate::{error::StoreError, postgres::error::DatabaseError};

pub(super) fn backup() -> Result<(), StoreError> {
    Err(DatabaseError::unavailable("use pg_dump or the backups of the database").into())
}
