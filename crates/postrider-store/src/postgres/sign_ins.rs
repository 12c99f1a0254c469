//! Sessions of people.

use async_trait::async_trait;

use super::{
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
    value::{millis, to_bigint},
};
use crate::{
    contract::sign_ins::{REMOVED_PER_SIGN_IN, SignIn, SignIns},
    error::StoreError,
};

#[async_trait]
impl SignIns for PostgresStore {
    async fn sign_in(&self, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError> {
        with_session!(self.node.api_session(), |session| find(session, &digest))
    }
}

const FIND: &str = "SELECT record FROM sign_in WHERE digest = $1";

/// Also removes some sessions that have expired.
const BEGIN: &str = "WITH expired AS (
        DELETE FROM sign_in
        WHERE digest IN (
            SELECT digest FROM sign_in
            WHERE expires_at <= $4
            ORDER BY expires_at
            LIMIT $5
            FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO sign_in (digest, expires_at, record) VALUES ($1, $2, $3)
    ON CONFLICT (digest) DO NOTHING";

const END: &str = "DELETE FROM sign_in WHERE digest = $1";

pub(super) async fn begin(
    session: &mut Session,
    digest: &[u8; 32],
    sign_in: &SignIn,
) -> Result<(), DatabaseError> {
    let record = serde_json::to_string(sign_in);
    let record = record.map_err(|error| DatabaseError::corrupt("session", error))?;
    let (expires_at, now) = (millis(sign_in.expires_at), millis(sign_in.created_at));
    let (digest, limit) = (digest.as_slice(), to_bigint(REMOVED_PER_SIGN_IN));
    session.execute(BEGIN, &[&digest, &expires_at, &record, &now, &limit]).await?;
    Ok(())
}

async fn find(session: &mut Session, digest: &[u8; 32]) -> Result<Option<SignIn>, DatabaseError> {
    let Some(row) = session.query_opt(FIND, &[&digest.as_slice()]).await? else { return Ok(None) };
    let record = serde_json::from_str(row.get(0));
    Ok(Some(record.map_err(|error| DatabaseError::corrupt("session", error))?))
}

pub(super) async fn end(session: &mut Session, digest: &[u8; 32]) -> Result<bool, DatabaseError> {
    Ok(session.execute(END, &[&digest.as_slice()]).await? > 0)
}
