//! Idempotency keys of requests.

use std::time::Duration;

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use super::{
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
    value::millis,
};
use crate::{
    contract::idempotency::{Idempotency, KeyReservation},
    error::StoreError,
};

#[async_trait]
impl Idempotency for PostgresStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        let node = self.node.number();
        with_session!(self.node.api_session(), |session| reserve(
            session,
            node,
            (&key, &fingerprint),
            now
        ))
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let node = self.node.number();
        with_session!(self.node.api_session(), |session| complete(
            session,
            node,
            &key,
            response.as_deref(),
            now
        ))
    }
}

/// How long other nodes assume that a request without a response still runs.
const LEASE: Duration = Duration::from_secs(60);

/// A key is free if no request has used it, or if the node that took it did not respond in time or
/// no longer exists.
pub(super) const RESERVE: &str = "INSERT INTO reservation (digest, fingerprint, holder, until)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (digest) DO UPDATE
    SET fingerprint = excluded.fingerprint, holder = excluded.holder, until = excluded.until
    WHERE reservation.answered_at IS NULL
        AND reservation.holder <> $3
        AND (
            reservation.until <= $5
            OR NOT EXISTS (SELECT FROM node WHERE node.id = reservation.holder)
        )";

const FIND: &str = "SELECT fingerprint, holder, answer FROM reservation WHERE digest = $1";

/// Hands a key of this node that has no response yet to another request of the node.
const HAND_OVER: &str = "UPDATE reservation
    SET fingerprint = $2
    WHERE digest = $1 AND holder = $3 AND answered_at IS NULL";

/// The first response stays.
const COMPLETE: &str = "UPDATE reservation
    SET answer = $2, answered_at = $3
    WHERE digest = $1 AND answered_at IS NULL";

/// Has no effect if another node has taken the key over.
const FREE: &str =
    "DELETE FROM reservation WHERE digest = $1 AND holder = $2 AND answered_at IS NULL";

async fn reserve(
    session: &mut Session,
    node: i64,
    (key, fingerprint): (&[u8; 32], &[u8; 32]),
    now: Timestamp,
) -> Result<KeyReservation, DatabaseError> {
    let (key, fingerprint) = (key.as_slice(), fingerprint.as_slice());
    let (until, now) = (millis(now + LEASE), millis(now));
    // The holder may free the key between two statements.
    for _ in 0..3 {
        if session.execute(RESERVE, &[&key, &fingerprint, &node, &until, &now]).await? > 0 {
            return Ok(KeyReservation::Acquired);
        }
        let Some(found) = session.query_opt(FIND, &[&key]).await? else { continue };
        let is_same = found.get::<_, &[u8]>(0) == fingerprint;
        return Ok(match found.get::<_, Option<Vec<u8>>>(2) {
            Some(response) if is_same => KeyReservation::Completed(response),
            Some(_) => KeyReservation::FingerprintMismatch,
            None if found.get::<_, i64>(1) != node => KeyReservation::InProgressElsewhere,
            None if is_same => KeyReservation::InProgress,
            None if session.execute(HAND_OVER, &[&key, &fingerprint, &node]).await? > 0 => {
                KeyReservation::InProgress
            },
            None => continue,
        });
    }
    Err(DatabaseError::unavailable("the key changes hands too often"))
}

async fn complete(
    session: &mut Session,
    node: i64,
    key: &[u8; 32],
    response: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let key = key.as_slice();
    match response {
        Some(response) => session.execute(COMPLETE, &[&key, &response, &millis(now)]).await?,
        None => session.execute(FREE, &[&key, &node]).await?,
    };
    Ok(())
}
