//! How attempts ended: one statement for those that end their deliveries, more for the rest.
//!
//! A settlement moves its delivery if it names the attempt that the delivery waits for, and if
//! this node holds the delivery or nobody does. One that came too late, after the node lost
//! the delivery to another one, is recorded and moves nothing, unless it says that the message
//! has arrived: that stays true, and spares the receiver what can still be spared.

use std::collections::{BTreeMap, HashMap, HashSet};

use postrider::{ApplicationId, EndpointId};
use postrider_core::{delivery::Settlement, retry::Verdict, time::Timestamp};
use tokio_postgres::types::Type;

use super::{
    append,
    lane::{self, LaneKey},
    row,
    session::{Param, Session},
    trouble,
    value::{Uuid, millis},
};
use crate::{DeliveryOrder, SettleBatch, StoreError};

const DELIVERED: i16 = 1;
const FAILED: i16 = 2;
const RETRY: i16 = 3;

pub(super) async fn settle(
    session: &mut Session,
    node: i64,
    batch: &SettleBatch,
) -> Result<(), StoreError> {
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
    note_failing(session, &batch.settlements).await?;
    for round in rounds {
        settle_round(session, node, round).await?;
    }
    if append::within(session, node, &batch.messages).await?.is_none() {
        return Err(trouble::unavailable("another node used one of the messages' keys"));
    }
    session.commit().await
}

/// Parts the settlements so that each delivery comes up once in a part, in their order.
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

/// Those that end their deliveries, all in one statement that is its own transaction; `false`
/// if some have to be looked at again.
async fn settle_ended(
    session: &mut Session,
    node: i64,
    round: &[&Settlement],
) -> Result<bool, StoreError> {
    let columns = Columns::of(round);
    let ended = session.query(END, &columns.params(&node)).await?;
    if ended.iter().any(|row| row.get(1)) {
        session.begin().await?;
        refresh_lanes(session, round, &ended).await?;
        session.commit().await?;
    }
    Ok(ended.len() == round.len())
}

async fn settle_round(
    session: &mut Session,
    node: i64,
    round: Vec<&Settlement>,
) -> Result<(), StoreError> {
    let columns = Columns::of(&round);
    let ended = session.query(END, &columns.params(&node)).await?;
    refresh_lanes(session, &round, &ended).await?;
    let left = without(round, &ended);
    if left.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&left);
    let moved = session.query(MOVE, &columns.params(&node)).await?;
    raise_lanes(session, node, &left, &moved).await?;
    refresh_lanes(session, &left, &moved).await?;
    let left = without(left, &moved);
    if left.is_empty() {
        return Ok(());
    }
    session.execute(RECORD, &Columns::of(&left).record()).await?;
    Ok(())
}

/// Those whose attempts are not among the rows' first columns.
fn without<'a>(round: Vec<&'a Settlement>, rows: &[tokio_postgres::Row]) -> Vec<&'a Settlement> {
    let done: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    round.into_iter().filter(|it| !done.contains(&it.attempt.id.into())).collect()
}

/// What ended at the head of an order lets the next one go; what nobody held may have been the
/// first of its lane. The rows say which those are.
async fn refresh_lanes(
    session: &mut Session,
    round: &[&Settlement],
    rows: &[tokio_postgres::Row],
) -> Result<(), StoreError> {
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

/// What is to be tried again makes its lane due.
async fn raise_lanes(
    session: &mut Session,
    node: i64,
    round: &[&Settlement],
    moved: &[tokio_postgres::Row],
) -> Result<(), StoreError> {
    let turns: HashMap<Uuid, DeliveryOrder> =
        moved.iter().map(|row| (row.get(0), lane::turn(row.get(2)))).collect();
    let mut lanes: BTreeMap<LaneKey, lane::Rise> = BTreeMap::new();
    for settlement in round {
        if let (Some(turn), Verdict::RetryAt(at)) =
            (turns.get(&settlement.attempt.id.into()), settlement.verdict)
        {
            let delivery = &settlement.delivery;
            let key = (delivery.application.into(), delivery.id.endpoint.into());
            lanes.entry(key).or_default().again(at, *turn);
        }
    }
    lane::rise(session, node, &lanes).await.map(drop)
}

/// Deliveries that wait for this attempt and end with it: they leave the queue, their ends and
/// their attempts are recorded.
macro_rules! settled {
    () => {
        "
WITH s AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[],
        $6::boolean[], $7::smallint[], $8::bytea[], $9::bytea[], $10::smallint[],
        $11::bigint[], $12::boolean[])
        AS s (application, endpoint, message, id, number, manual, status, details, response,
            verdict, retry_at, reported)
)"
    };
}

/// Behind what ends in order another one may go, so its lane is due by the same statement: if
/// the node ends before the lane is looked at, a claim looks.
pub(super) const END: &str = concat!(
    settled!(),
    ", ended AS (
    DELETE FROM queue q USING s
    WHERE q.application = ANY (ARRAY[s.application]) AND q.endpoint = s.endpoint AND q.message = s.message
        AND q.attempt = s.number AND q.manual = s.manual
        AND (s.verdict = 1 OR s.verdict = 2 AND (q.holder = $13 OR q.holder IS NULL))
        AND s.id <> ALL (q.attempts)
    RETURNING q.application, q.endpoint, q.message, s.id, s.number, s.manual, s.status,
        s.details, s.response, s.verdict, q.attempts,
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
)
SELECT id, was_open FROM ended"
);

/// Deliveries that wait for this attempt and are to be tried again.
pub(super) const MOVE: &str = concat!(
    settled!(),
    ", waiting AS (
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
        AND s.verdict = 3 AND (q.holder = $13 OR q.holder IS NULL)
        AND s.id <> ALL (q.attempts)
    RETURNING q.application, q.endpoint, q.message, s.id, s.number, s.manual, s.status,
        s.details, s.response, s.was_open, q.turn
), made AS (
    INSERT INTO attempt
        (application, endpoint, id, message, number, manual, status, details, response)
    SELECT application, endpoint, id, message, number, manual, status, details, response
    FROM moved
)
SELECT id, was_open, turn FROM moved"
);

/// Attempts that move nothing: their deliveries have ended, are held by another node, or wait
/// for another attempt. Those that are known, or whose delivery is not, are passed over.
pub(super) const RECORD: &str = "
WITH s AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[],
        $6::boolean[], $7::smallint[], $8::bytea[], $9::bytea[])
        AS s (application, endpoint, message, id, number, manual, status, details, response)
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
)
INSERT INTO attempt
    (application, endpoint, id, message, number, manual, status, details, response)
SELECT application, endpoint, id, message, number, manual, status, details, response
FROM (SELECT * FROM waiting UNION ALL SELECT * FROM ended) recorded
ON CONFLICT DO NOTHING";

pub(super) const NOTE_FAILING: &str = "
UPDATE endpoint e SET failing_since = f.since
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS f (application, id, since)
WHERE e.application = ANY (ARRAY[f.application]) AND e.id = f.id";

/// Notes since when endpoints fail; the last word of a batch counts.
async fn note_failing(session: &mut Session, settlements: &[Settlement]) -> Result<(), StoreError> {
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
    let application: Vec<_> = failing.keys().map(|(it, _)| *it).collect();
    let endpoint: Vec<_> = failing.keys().map(|(_, it)| *it).collect();
    let since: Vec<_> = failing.values().map(|it| it.map(millis)).collect();
    let params: [Param<'_>; 3] = [
        (&application, Type::UUID_ARRAY),
        (&endpoint, Type::UUID_ARRAY),
        (&since, Type::INT8_ARRAY),
    ];
    session.execute(NOTE_FAILING, &params).await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    application: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    message: Vec<Uuid>,
    id: Vec<Uuid>,
    number: Vec<i16>,
    is_manual: Vec<bool>,
    status: Vec<i16>,
    details: Vec<Vec<u8>>,
    response: Vec<Option<Vec<u8>>>,
    verdict: Vec<i16>,
    retry_at: Vec<Option<i64>>,
    is_reported: Vec<bool>,
}

impl Columns {
    fn of(round: &[&Settlement]) -> Self {
        let mut columns = Self::default();
        for settlement in round {
            columns.push(settlement);
        }
        columns
    }

    fn push(&mut self, settlement: &Settlement) {
        let Settlement { delivery, attempt, verdict, .. } = settlement;
        self.application.push(delivery.application.into());
        self.endpoint.push(delivery.id.endpoint.into());
        self.message.push(delivery.id.message.into());
        self.id.push(attempt.id.into());
        self.number.push(row::small(delivery.attempt));
        self.is_manual.push(delivery.trigger == postrider_core::delivery::Trigger::Manual);
        self.status.push(row::status(attempt.outcome));
        self.details.push(row::attempt_details(attempt));
        self.response.push(row::response(attempt));
        let (verdict, retry_at) = match verdict {
            Verdict::Delivered => (DELIVERED, None),
            Verdict::GiveUp(_) => (FAILED, None),
            Verdict::RetryAt(at) => (RETRY, Some(millis(*at))),
        };
        self.verdict.push(verdict);
        self.retry_at.push(retry_at);
        self.is_reported.push(delivery.reported);
    }

    fn params<'a>(&'a self, node: &'a i64) -> Vec<Param<'a>> {
        let mut params = self.record();
        let more: [Param<'a>; 4] = [
            (&self.verdict, Type::INT2_ARRAY),
            (&self.retry_at, Type::INT8_ARRAY),
            (&self.is_reported, Type::BOOL_ARRAY),
            (node, Type::INT8),
        ];
        params.extend(more);
        params
    }

    fn record(&self) -> Vec<Param<'_>> {
        vec![
            (&self.application, Type::UUID_ARRAY),
            (&self.endpoint, Type::UUID_ARRAY),
            (&self.message, Type::UUID_ARRAY),
            (&self.id, Type::UUID_ARRAY),
            (&self.number, Type::INT2_ARRAY),
            (&self.is_manual, Type::BOOL_ARRAY),
            (&self.status, Type::INT2_ARRAY),
            (&self.details, Type::BYTEA_ARRAY),
            (&self.response, Type::BYTEA_ARRAY),
        ]
    }
}
