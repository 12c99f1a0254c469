//! The database's clock.

use postrider_core::time::Timestamp;

use super::{error::DatabaseError, session::Session, value};

const NOW: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

pub(super) async fn now(session: &mut Session) -> Result<Timestamp, DatabaseError> {
    Ok(value::timestamp(session.query_one(NOW, &[]).await?.get(0)))
}
