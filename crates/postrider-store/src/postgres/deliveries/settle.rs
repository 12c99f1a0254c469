//! Settles attempts: records them and moves their deliveries on.
//!
//! A settlement moves its delivery if it names the attempt that the delivery waits for, and if this
//! node holds the delivery or no node does. One that comes too late, after another node took over
//! the delivery, is recorded and moves nothing. The exception is a success: the receiver has the
//! message now, and ending the delivery may spare it a second copy.
//!
//! A batch of attempts that end their deliveries takes one statement, without a transaction around
//! it. Everything else goes through a transaction with one statement for each kind of outcome: the
//! next one gets the attempts that the one before it did not match.
//!
//! Rows of the queue are locked in the order of their keys, and lanes after them; see
//! [`lane`] for the deadlocks that are possible with that.

mod columns;

use std::collections::{BTreeMap, HashMap, HashSet};

use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    delivery::{DeliveryOrder, Settlement},
    retry::Verdict,
    time::Timestamp,
};
use tokio_postgres::Row;

use self::columns::Columns;
use super::append;
use crate::{
    contract::deliveries::SettleBatch,
    postgres::{
        error::DatabaseError,
        lane::{self, LaneKey, LaneUpdate},
        session::Session,
        value::{Uuid, millis},
    },
};

pub(in crate::postgres) async fn settle(
    session: &mut Session,
    node: i64,
    batch: &SettleBatch,
) -> Result<(), DatabaseError> {
    let rounds = rounds(&batch.settlements);
    let ends = |it: &&Settlement| !matches!(it.verdict, Verdict::RetryAt(_));
    if let [round] = &rounds[..]
        && batch.messages.is_empty()
        && round.iter().all(ends)
        && round.iter().all(|it| it.failing_since.is_none())
        && settle_ended(session, node, round).await?
    {
        return Ok(());
    }
    session.begin().await?;
    set_failing_since(session, &batch.settlements).await?;
    for round in rounds {
        settle_round(session, node, round).await?;
    }
    if append::append_within(session, node, &batch.messages).await?.is_none() {
        return Err(DatabaseError::unavailable("another node used one of the messages' keys"));
    }
    session.commit().await
}

/// Splits the settlements into rounds, in their order, so that each delivery occurs once in a round:
/// a statement can change a row only once.
fn rounds(settlements: &[Settlement]) -> Vec<Vec<&Settlement>> {
    let mut rounds: Vec<Vec<&Settlement>> = Vec::new();
    let mut counts = HashMap::with_capacity(settlements.len());
    for settlement in settlements {
        let count: &mut usize = counts.entry(settlement.delivery.id).or_default();
        if rounds.len() == *count {
            rounds.push(Vec::new());
        }
        rounds[*count].push(settlement);
        *count += 1;
    }
    // Locks are taken in the order of the keys.
    for round in &mut rounds {
        round.sort_by_key(|it| (it.delivery.application, it.delivery.id));
    }
    rounds
}

/// Deliveries that wait for this attempt and end with it leave the queue; their final states and
/// the attempts are recorded.
///
/// The same statement makes the lane of a delivery in order due. If the node stops before it
/// refreshes the lane, a claim finds the lane and the delivery behind the ended one.
pub(in crate::postgres) const END: &str = "
WITH s AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[],
        $6::boolean[], $7::smallint[], $8::bytea[], $9::bytea[], $10::bigint[], $11::smallint[],
        $12::bigint[], $13::boolean[])
        AS s (application, endpoint, message, id, number, manual, status, details, response,
            fact, verdict, retry_at, reported)
), ended AS (
    DELETE FROM queue q USING s
    WHERE q.application = ANY (ARRAY[s.application]) AND q.endpoint = s.endpoint AND q.message = s.message
        AND q.attempt = s.number AND q.manual = s.manual
        AND (s.verdict = 1 OR s.verdict = 2 AND (q.holder = $14 OR q.holder IS NULL))
        AND s.id <> ALL (q.attempts)
    RETURNING q.application, q.endpoint, q.message, s.id, s.number, s.manual, s.status,
        s.details, s.response, s.fact, s.verdict, q.attempts,
        q.position, q.position IS NOT NULL OR q.holder IS NULL AS was_open
), next AS (
    UPDATE lane l SET due_at = 0
    FROM (
        SELECT DISTINCT application, endpoint FROM ended WHERE position IS NOT NULL
    ) headless
    WHERE l.application = ANY (ARRAY[headless.application]) AND l.endpoint = headless.endpoint
), kept AS (
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT application, endpoint, message, verdict, attempts || id FROM ended
), made AS (
    INSERT INTO attempt
        (application, endpoint, id, message, number, manual, status, details, response)
    SELECT application, endpoint, id, message, number, manual, status, details, response
    FROM ended
), counted AS (
    INSERT INTO tally (application, subject, fact, count)
    SELECT application, endpoint, fact, count(*) FROM ended GROUP BY 1, 2, 3
)
SELECT id, was_open FROM ended";

/// Settles attempts that end their deliveries with one statement, which is a transaction of its
/// own. `false` if some did not match; all of them may then be settled again, since a known attempt
/// changes nothing.
async fn settle_ended(
    session: &mut Session,
    node: i64,
    round: &[&Settlement],
) -> Result<bool, DatabaseError> {
    let columns = Columns::of(round);
    let ended = session.query(END, &columns.params(&node)).await?;
    if ended.iter().any(|row| row.get(1)) {
        session.begin().await?;
        refresh_lanes(session, round, &ended).await?;
        session.commit().await?;
    }
    Ok(ended.len() == round.len())
}

/// Deliveries that wait for this attempt and are retried.
pub(in crate::postgres) const MOVE: &str = "
WITH s AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[],
        $6::boolean[], $7::smallint[], $8::bytea[], $9::bytea[], $10::bigint[], $11::smallint[],
        $12::bigint[], $13::boolean[])
        AS s (application, endpoint, message, id, number, manual, status, details, response,
            fact, verdict, retry_at, reported)
), waiting AS (
    SELECT s.*, found.was_open
    FROM s
    CROSS JOIN LATERAL (
        SELECT holder IS NULL AS was_open FROM queue
        WHERE application = s.application AND endpoint = s.endpoint AND message = s.message
        LIMIT 1
    ) found
), moved AS (
    UPDATE queue q SET
        attempt = least(q.attempt + CASE WHEN q.resume_at >= 0 THEN 0 ELSE 1 END, 32767),
        manual = false,
        resume_at = NULL,
        reported = s.reported,
        due_at = s.retry_at,
        free_at = s.retry_at,
        holder = NULL,
        attempts = q.attempts || s.id
    FROM waiting s
    WHERE q.application = ANY (ARRAY[s.application]) AND q.endpoint = s.endpoint AND q.message = s.message
        AND q.attempt = s.number AND q.manual = s.manual
        AND s.verdict = 3 AND (q.holder = $14 OR q.holder IS NULL)
        AND s.id <> ALL (q.attempts)
    RETURNING q.application, q.endpoint, q.message, s.id, s.number, s.manual, s.status,
        s.details, s.response, s.fact, s.was_open, q.turn
), made AS (
    INSERT INTO attempt
        (application, endpoint, id, message, number, manual, status, details, response)
    SELECT application, endpoint, id, message, number, manual, status, details, response
    FROM moved
), counted AS (
    INSERT INTO tally (application, subject, fact, count)
    SELECT application, endpoint, fact, count(*) FROM moved GROUP BY 1, 2, 3
)
SELECT id, was_open, turn FROM moved";

/// Attempts that move nothing: their deliveries have ended, are held by another node, or wait for
/// another attempt. Known attempts and attempts of unknown deliveries are skipped.
pub(in crate::postgres) const RECORD: &str = "
WITH s AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[],
        $6::boolean[], $7::smallint[], $8::bytea[], $9::bytea[], $10::bigint[])
        AS s (application, endpoint, message, id, number, manual, status, details, response,
            fact)
), waiting AS (
    UPDATE queue q SET attempts = q.attempts || s.id FROM s
    WHERE q.application = ANY (ARRAY[s.application]) AND q.endpoint = s.endpoint AND q.message = s.message
        AND s.id <> ALL (q.attempts)
    RETURNING s.*
), ended AS (
    UPDATE delivery d SET attempts = d.attempts || s.id FROM s
    WHERE d.application = ANY (ARRAY[s.application]) AND d.endpoint = s.endpoint
        AND d.message BETWEEN s.message AND s.message
        AND s.id <> ALL (d.attempts)
    RETURNING s.*
), recorded AS (
    SELECT * FROM waiting UNION ALL SELECT * FROM ended
), counted AS (
    INSERT INTO tally (application, subject, fact, count)
    SELECT application, endpoint, fact, count(*) FROM recorded GROUP BY 1, 2, 3
)
INSERT INTO attempt
    (application, endpoint, id, message, number, manual, status, details, response)
SELECT application, endpoint, id, message, number, manual, status, details, response
FROM recorded
ON CONFLICT DO NOTHING";

async fn settle_round(
    session: &mut Session,
    node: i64,
    round: Vec<&Settlement>,
) -> Result<(), DatabaseError> {
    let columns = Columns::of(&round);
    let ended = session.query(END, &columns.params(&node)).await?;
    refresh_lanes(session, &round, &ended).await?;
    let left = without(round, &ended);
    if left.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&left);
    let moved = session.query(MOVE, &columns.params(&node)).await?;
    mark_lanes_due(session, node, &left, &moved).await?;
    refresh_lanes(session, &left, &moved).await?;
    let left = without(left, &moved);
    if left.is_empty() {
        return Ok(());
    }
    session.execute(RECORD, &Columns::of(&left).attempts()).await.map(drop)
}

/// The settlements whose attempts are not in the first column of the rows.
fn without<'a>(round: Vec<&'a Settlement>, rows: &[Row]) -> Vec<&'a Settlement> {
    let done: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    round.into_iter().filter(|it| !done.contains(&it.attempt.id.into())).collect()
}

/// Refreshes the lanes of deliveries with `was_open`, the second column: the one at the head of an
/// order lets the next one go, and one without a holder may have been the first of its lane.
async fn refresh_lanes(
    session: &mut Session,
    round: &[&Settlement],
    rows: &[Row],
) -> Result<(), DatabaseError> {
    let open: HashSet<Uuid> =
        rows.iter().filter(|row| row.get::<_, bool>(1)).map(|row| row.get(0)).collect();
    if open.is_empty() {
        return Ok(());
    }
    let lanes: HashSet<(ApplicationId, EndpointId)> = round
        .iter()
        .filter(|it| open.contains(&it.attempt.id.into()))
        .map(|it| (it.delivery.application, it.delivery.id.endpoint))
        .collect();
    lane::refresh(session, &lanes.into_iter().collect::<Vec<_>>()).await
}

/// Makes the lanes of retries due: rows of [`MOVE`].
async fn mark_lanes_due(
    session: &mut Session,
    node: i64,
    round: &[&Settlement],
    moved: &[Row],
) -> Result<(), DatabaseError> {
    let orders: HashMap<Uuid, DeliveryOrder> =
        moved.iter().map(|row| (row.get(0), lane::from_smallint(row.get(2)))).collect();
    let mut lanes: BTreeMap<LaneKey, LaneUpdate> = BTreeMap::new();
    for settlement in round {
        if let (Some(order), Verdict::RetryAt(at)) =
            (orders.get(&settlement.attempt.id.into()), settlement.verdict)
        {
            let delivery = &settlement.delivery;
            let key = (delivery.application.into(), delivery.id.endpoint.into());
            lanes.entry(key).or_default().add_freed(at, *order);
        }
    }
    lane::mark_due(session, node, &lanes).await.map(drop)
}

pub(in crate::postgres) const SET_FAILING_SINCE: &str = "
UPDATE endpoint e SET failing_since = f.since
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS f (application, id, since)
WHERE e.application = ANY (ARRAY[f.application]) AND e.id = f.id";

/// Stores since when endpoints have been failing; the last settlement of an endpoint counts.
async fn set_failing_since(
    session: &mut Session,
    settlements: &[Settlement],
) -> Result<(), DatabaseError> {
    let mut failing: BTreeMap<LaneKey, Option<Timestamp>> = BTreeMap::new();
    for settlement in settlements {
        if let Some(since) = settlement.failing_since {
            let delivery = &settlement.delivery;
            failing.insert((delivery.application.into(), delivery.id.endpoint.into()), since);
        }
    }
    if failing.is_empty() {
        return Ok(());
    }
    let application: Vec<_> = failing.keys().map(|key| key.0).collect();
    let endpoint: Vec<_> = failing.keys().map(|key| key.1).collect();
    let since: Vec<_> = failing.values().map(|since| since.map(millis)).collect();
    session.execute(SET_FAILING_SINCE, &[&application, &endpoint, &since]).await.map(drop)
}
