//! Removes the content of a message or of an attempt, on request.

use postrider::{ApplicationId, AttemptId, MessageId};

use crate::{
    contract::deliveries::Scope,
    postgres::{deliveries::cancel, error::DatabaseError, session::Session, value::Uuid},
};

const EXPUNGE_MESSAGE: &str = "UPDATE message SET body = NULL WHERE application = $1 AND id = $2";

/// Removes the body, and cancels the deliveries that cannot be sent without it.
pub(in crate::postgres) async fn expunge_message(
    session: &mut Session,
    application: ApplicationId,
    id: MessageId,
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let key = (Uuid::from(application), Uuid::from(id));
    let is_known = session.execute(EXPUNGE_MESSAGE, &[&key.0, &key.1]).await? > 0;
    if is_known {
        cancel::cancel_step(session, Scope::Message(application, id)).await?;
    }
    session.commit().await?;
    Ok(is_known)
}

/// An attempt is found by its endpoint, which is one of the message's: one lookup for each.
pub(in crate::postgres) const EXPUNGE_ATTEMPT: &str = "
UPDATE attempt SET response = NULL
WHERE application = $1 AND id = $3 AND endpoint = (
    SELECT found.endpoint
    FROM (SELECT unnest(targets) AS endpoint FROM message WHERE application = $1 AND id = $2)
        AS target
    CROSS JOIN LATERAL (
        SELECT endpoint FROM attempt
        WHERE application = $1 AND endpoint = target.endpoint AND id = $3 AND message = $2
        LIMIT 1
    ) AS found
    LIMIT 1
)";

/// Removes the response.
pub(in crate::postgres) async fn expunge_attempt(
    session: &mut Session,
    application: ApplicationId,
    message: MessageId,
    id: AttemptId,
) -> Result<bool, DatabaseError> {
    let (application, message, id) = (Uuid::from(application), Uuid::from(message), Uuid::from(id));
    Ok(session.execute(EXPUNGE_ATTEMPT, &[&application, &message, &id]).await? > 0)
}
