//! Resends deliveries on request.

use postrider::ApplicationId;
use postrider_core::{
    delivery::{DeliveryId, ResendMode},
    retry::RetryPlan,
    time::Timestamp,
};

use crate::postgres::{
    error::DatabaseError,
    lane, row,
    session::Session,
    value::{Uuid, millis},
};

/// Locks the message, so that its body is not removed before the delivery is in the queue.
const LOCK_MESSAGE: &str = "
SELECT 1 FROM message WHERE application = $1 AND id = $2 AND body IS NOT NULL FOR UPDATE";

/// A delivery with a holder matches and stays as it is: it is being sent anyway.
const RESEND_WAITING: &str = "
UPDATE queue SET
    attempt = CASE WHEN holder IS NULL AND $5 THEN 1 ELSE attempt END,
    manual = CASE WHEN holder IS NULL THEN true ELSE manual END,
    reported = CASE WHEN holder IS NULL AND $5 THEN false ELSE reported END,
    resume_at = CASE
        WHEN holder IS NOT NULL THEN resume_at
        WHEN NOT $5 THEN coalesce(resume_at, due_at)
    END,
    due_at = CASE WHEN holder IS NULL THEN $4 ELSE due_at END,
    free_at = CASE WHEN holder IS NULL THEN $4 ELSE free_at END,
    turn = CASE WHEN holder IS NULL THEN least(turn, 1) ELSE turn END,
    position = CASE WHEN holder IS NULL THEN NULL ELSE position END
WHERE application = $1 AND endpoint = $2 AND message = $3";

/// A delivery that has ended, or never existed, enters the queue outside the order: its place in it
/// has passed.
const RESEND_ENDED: &str = "
WITH ended AS (
    DELETE FROM delivery WHERE application = $1 AND endpoint = $2 AND message = $3
    RETURNING attempts
)
INSERT INTO queue (application, endpoint, message, attempt, manual, reported, resume_at,
    due_at, free_at, holder, turn, position, attempts)
SELECT $1, $2, $3, 1, true, false, $5, $4, $4, NULL,
    least(1, coalesce((SELECT turn FROM lane WHERE application = $1 AND endpoint = $2), 0)),
    NULL, coalesce((SELECT attempts FROM ended), '{}')";

const ADD_TARGET: &str = "
UPDATE message SET targets = targets || $3
WHERE application = $1 AND id = $2 AND $3 <> ALL (targets)";

/// Makes a delivery due at `at`. `false` if the message is unknown or has no body.
pub(in crate::postgres) async fn resend(
    session: &mut Session,
    application: ApplicationId,
    id: DeliveryId,
    (mode, at): (ResendMode, Timestamp),
) -> Result<bool, DatabaseError> {
    let lane = [(application, id.endpoint)];
    let (application, endpoint, message) =
        (Uuid::from(application), Uuid::from(id.endpoint), Uuid::from(id.message));
    session.begin().await?;
    if session.query_opt(LOCK_MESSAGE, &[&application, &message]).await?.is_none() {
        session.rollback().await?;
        return Ok(false);
    }
    let at = millis(at);
    let restarts = mode == ResendMode::Retry;
    let waiting = session
        .execute(RESEND_WAITING, &[&application, &endpoint, &message, &at, &restarts])
        .await?;
    if waiting == 0 {
        let resume_at = resume_at(mode);
        session
            .execute(RESEND_ENDED, &[&application, &endpoint, &message, &at, &resume_at])
            .await?;
        session.execute(ADD_TARGET, &[&application, &message, &endpoint]).await?;
    }
    lane::wake(session, &lane).await?;
    session.commit().await?;
    Ok(true)
}

/// `resume_at` of a delivery that had ended: what follows if its attempt fails. See
/// [`Delivery::resent`](postrider_core::delivery::Delivery::resent).
pub(in crate::postgres) fn resume_at(mode: ResendMode) -> Option<i64> {
    row::resume_at(match mode {
        ResendMode::Once => RetryPlan::Once,
        ResendMode::Retry => RetryPlan::Schedule,
    })
}
