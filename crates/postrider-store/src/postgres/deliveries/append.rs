//! Appends messages with their deliveries.
//!
//! A batch whose deliveries are all held by this node takes one statement, with or without keys,
//! which fails if any message or key is known. Only then does a transaction look at each message.
//!
//! A delivery without a holder makes its lane due. One in order gets its position under the lock of
//! its lane, which is held until the commit, so that the order of an endpoint is that of the
//! commits.

mod columns;
mod insertion;
mod keys;

#[cfg(test)]
pub(in crate::postgres) use self::keys::{FIND_KNOWN, KEEP_DIGESTS, KEEP_EVENT_IDS};
use self::{columns::Columns, insertion::Insertion, keys::KnownKeys};
use crate::{
    contract::deliveries::{AppendOutcome, Hold, NewMessage},
    postgres::{error::DatabaseError, session::Session},
};

/// How often a batch is repeated because another node took one of its keys at the same time.
const MAX_KEY_RACES: usize = 5;

/// Makes the messages durable, in a transaction of its own.
pub(in crate::postgres) async fn append(
    session: &mut Session,
    node: i64,
    batch: &[NewMessage],
) -> Result<Vec<AppendOutcome>, DatabaseError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    if batch.iter().all(is_held) {
        let insertion = Insertion::of(batch, &vec![true; batch.len()]);
        if insert_alone(session, node, &insertion).await? {
            return Ok(vec![AppendOutcome::New; batch.len()]);
        }
    }
    for _ in 0..MAX_KEY_RACES {
        session.begin().await?;
        match append_within(session, node, batch).await? {
            Some(outcomes) => {
                session.commit().await?;
                return Ok(outcomes);
            },
            None => session.rollback().await?,
        }
    }
    Err(DatabaseError::unavailable("other nodes used the same keys again and again"))
}

/// Appends the messages as a part of a transaction. `None` if another node took a key meanwhile:
/// the transaction has to be rolled back.
pub(in crate::postgres) async fn append_within(
    session: &mut Session,
    node: i64,
    batch: &[NewMessage],
) -> Result<Option<Vec<AppendOutcome>>, DatabaseError> {
    if batch.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut known = KnownKeys::find(session, batch).await?;
    let known_outcomes: Vec<_> = batch.iter().map(|new| known.decide(new)).collect();
    if !known.keep(session).await? {
        return Ok(None);
    }
    let is_new: Vec<_> = known_outcomes.iter().map(Option::is_none).collect();
    let mut insertion = Insertion::of(batch, &is_new);
    if insertion.messages.is_empty() {
        confirm(session).await?;
    }
    insertion.assign_positions(session, node).await?;
    if !insert(session, node, &insertion).await? {
        return Ok(None);
    }
    Ok(Some(known_outcomes.into_iter().map(|it| it.unwrap_or(AppendOutcome::New)).collect()))
}

/// Writes to the log without changing anything, so that the commit waits until the synchronous
/// standby has everything that this transaction read.
pub(in crate::postgres) const CONFIRM: &str =
    "SELECT pg_logical_emit_message(true, 'postrider', '')";

/// A message that was found is not necessarily safe: a primary that crashed while a commit waited
/// for the standby shows the commit after its recovery, and loses it if the standby is promoted.
async fn confirm(session: &mut Session) -> Result<(), DatabaseError> {
    session.execute(CONFIRM, &[]).await.map(drop)
}

/// Whether all deliveries of the message are held by the caller.
fn is_held(new: &NewMessage) -> bool {
    new.targets.iter().all(|target| matches!(target.hold, Hold::Leased(_)))
}

/// Fails if a message is known. That is rare, and a lookup before each insertion would cost the
/// database a tenth more work.
///
/// The endpoints of all messages are one array, of which each message takes a slice. A delivery
/// refers to its message by the index in the other arrays: joining the two sets by the message's id
/// would cost the square of the batch.
pub(in crate::postgres) const INSERT: &str = "
WITH new AS (
    INSERT INTO message
        (application, id, event_type, event_id, targets, details, body, body_until)
    SELECT application, id, event_type, event_id,
        ($7::uuid[])[first : last], details, body, body_until
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[],
            $8::bytea[], $9::bytea[], $10::bigint[])
        AS m (application, id, event_type, event_id, first, last, details, body, body_until)
), counted AS (
    INSERT INTO tally (application, fact, count)
    SELECT application, fact, count
    FROM unnest($17::uuid[], $18::bigint[], $19::bigint[]) AS t (application, fact, count)
)
INSERT INTO queue
    (application, endpoint, message, attempt, manual, reported,
     due_at, free_at, holder, turn, position, attempts)
SELECT ($1::uuid[])[place], endpoint, ($2::uuid[])[place], 1, false, false,
    due_at, free_at, holder, turn, position, '{}'
FROM unnest($7::uuid[], $11::int[], $12::bigint[], $13::bigint[], $14::bigint[],
        $15::smallint[], $16::bigint[])
    AS q (endpoint, place, due_at, free_at, holder, turn, position)";

/// [`INSERT`] with keys, each of which has to be new.
pub(in crate::postgres) const INSERT_KEYED: &str = "
WITH digests AS (
    INSERT INTO idempotency (application, digest, message)
    SELECT application, digest, id
    FROM unnest($1::uuid[], $2::uuid[], $20::bytea[]) AS k (application, id, digest)
    WHERE digest IS NOT NULL
), event_ids AS (
    INSERT INTO event_id (application, event_id, message)
    SELECT application, event_id, id
    FROM unnest($1::uuid[], $2::uuid[], $4::text[]) AS k (application, id, event_id)
    WHERE event_id IS NOT NULL
), new AS (
    INSERT INTO message
        (application, id, event_type, event_id, targets, details, body, body_until)
    SELECT application, id, event_type, event_id,
        ($7::uuid[])[first : last], details, body, body_until
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[],
            $8::bytea[], $9::bytea[], $10::bigint[])
        AS m (application, id, event_type, event_id, first, last, details, body, body_until)
), counted AS (
    INSERT INTO tally (application, fact, count)
    SELECT application, fact, count
    FROM unnest($17::uuid[], $18::bigint[], $19::bigint[]) AS t (application, fact, count)
)
INSERT INTO queue
    (application, endpoint, message, attempt, manual, reported,
     due_at, free_at, holder, turn, position, attempts)
SELECT ($1::uuid[])[place], endpoint, ($2::uuid[])[place], 1, false, false,
    due_at, free_at, holder, turn, position, '{}'
FROM unnest($7::uuid[], $11::int[], $12::bigint[], $13::bigint[], $14::bigint[],
        $15::smallint[], $16::bigint[])
    AS q (endpoint, place, due_at, free_at, holder, turn, position)";

/// Inserts everything with its keys in a transaction of its own. `false`, and nothing is
/// inserted, if a message or one of its keys is known.
async fn insert_alone(
    session: &mut Session,
    node: i64,
    insertion: &Insertion<'_>,
) -> Result<bool, DatabaseError> {
    let columns = Columns::of(insertion, node);
    let params = columns.params();
    let inserted = if insertion.messages.iter().any(|new| keys::has_key(new)) {
        let keyed = [&params[..], &[&columns.digest]].concat();
        session.execute(INSERT_KEYED, &keyed).await
    } else {
        session.execute(INSERT, &params).await
    };
    is_new(inserted)
}

/// Inserts everything but the keys as a part of a transaction. `false` if another node inserted
/// one of the messages meanwhile: the transaction has to be rolled back.
async fn insert(
    session: &mut Session,
    node: i64,
    insertion: &Insertion<'_>,
) -> Result<bool, DatabaseError> {
    if insertion.messages.is_empty() {
        return Ok(true);
    }
    let columns = Columns::of(insertion, node);
    is_new(session.execute(INSERT, &columns.params()).await)
}

/// Whether everything was inserted, because none of it was known.
fn is_new(inserted: Result<u64, DatabaseError>) -> Result<bool, DatabaseError> {
    match inserted {
        Err(DatabaseError::UniqueViolation { .. }) => Ok(false),
        result => result.map(|_| true),
    }
}
