//! Idempotency keys of requests.

use std::time::Duration;

use postrider_core::time::Timestamp;
use tokio_postgres::types::Type;

use super::{
    session::{Param, Session},
    trouble,
    value::millis,
};
use crate::{KeyReservation, StoreError};

/// How long other nodes believe that a request without an answer still runs.
const LEASE: Duration = Duration::from_secs(60);

/// A key is free if nobody has it, or if another node took it that has not answered in time or
/// is gone.
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
const PASS_ON: &str = "UPDATE reservation
    SET fingerprint = $2
    WHERE digest = $1 AND holder = $3 AND answered_at IS NULL";

/// An answer that was given stays.
const ANSWER: &str = "UPDATE reservation
    SET answer = $2, answered_at = $3
    WHERE digest = $1 AND answered_at IS NULL";

/// Not if another node has taken it over.
const GIVE_UP: &str =
    "DELETE FROM reservation WHERE digest = $1 AND holder = $2 AND answered_at IS NULL";

pub(super) async fn reserve(
    session: &mut Session,
    node: i64,
    key: &[u8; 32],
    fingerprint: &[u8; 32],
    now: Timestamp,
) -> Result<KeyReservation, StoreError> {
    let (key, fingerprint) = (key.as_slice(), fingerprint.as_slice());
    let values: [Param<'_>; 5] = [
        (&key, Type::BYTEA),
        (&fingerprint, Type::BYTEA),
        (&node, Type::INT8),
        (&millis(now + LEASE), Type::INT8),
        (&millis(now), Type::INT8),
    ];
    // The one who had it may give it up between the two statements.
    for _ in 0..3 {
        if session.execute(RESERVE, &values).await? > 0 {
            return Ok(KeyReservation::Acquired);
        }
        let Some(found) = session.query_opt(FIND, &values[..1]).await? else { continue };
        let is_same = found.get::<_, &[u8]>(0) == fingerprint;
        return Ok(match found.get::<_, Option<Vec<u8>>>(2) {
            Some(answer) if is_same => KeyReservation::Completed(answer),
            Some(_) => KeyReservation::FingerprintMismatch,
            None if found.get::<_, i64>(1) != node => KeyReservation::InProgressElsewhere,
            None if is_same => KeyReservation::InProgress,
            None if session.execute(PASS_ON, &values[..3]).await? > 0 => KeyReservation::InProgress,
            None => continue,
        });
    }
    Err(trouble::unavailable("the key changes hands too often"))
}

pub(super) async fn answer(
    session: &mut Session,
    node: i64,
    key: &[u8; 32],
    response: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = key.as_slice();
    let key: Param<'_> = (&key, Type::BYTEA);
    match response {
        Some(response) => {
            let values = [key, (&response, Type::BYTEA), (&millis(now), Type::INT8)];
            session.execute(ANSWER, &values).await?;
        },
        None => {
            session.execute(GIVE_UP, &[key, (&node, Type::INT8)]).await?;
        },
    }
    Ok(())
}
