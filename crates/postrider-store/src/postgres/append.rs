//! New messages: one statement for all of them, unless some have keys or belong in the store.
//!
//! What is held by this node needs nothing else, whether it has keys or not, as long as they are
//! new; if one is not, the whole batch is looked at again. What is not held makes its lanes due;
//! what is in order gets its place under the lock of its lane, so that the order is that of the
//! commits.

mod keyed;

use std::collections::{BTreeMap, HashSet};

use postrider_core::{message::Message, time::Timestamp};
use tokio_postgres::types::Type;

use self::keyed::Known;
#[cfg(test)]
pub(super) use self::keyed::{KEEP_DIGESTS, KEEP_EVENT_IDS, LOOK};
use super::{
    lane::{self, LaneKey},
    row,
    session::Session,
    trouble,
    value::{Uuid, millis},
};
use crate::{AppendOutcome, DeliveryOrder, Hold, NewMessage, StoreError, Target};

/// Times that a batch is begun again because another node took one of its keys meanwhile.
const RACES: usize = 5;

/// Makes the messages durable, in a transaction of its own.
pub(super) async fn append(
    session: &mut Session,
    node: i64,
    batch: &[NewMessage],
) -> Result<Vec<AppendOutcome>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    if batch.iter().all(is_held) {
        let fresh = Fresh::of(batch, &vec![true; batch.len()]);
        if fresh.insert_alone(session, node).await? {
            return Ok(vec![AppendOutcome::New; batch.len()]);
        }
    }
    for _ in 0..RACES {
        session.begin().await?;
        match within(session, node, batch).await? {
            Some(appended) => {
                session.commit().await?;
                return Ok(appended);
            },
            None => session.rollback().await?,
        }
    }
    Err(trouble::unavailable("other nodes used the same keys again and again"))
}

/// Makes the messages part of a transaction; `None` if a race was lost, and it has to be
/// rolled back.
pub(super) async fn within(
    session: &mut Session,
    node: i64,
    batch: &[NewMessage],
) -> Result<Option<Vec<AppendOutcome>>, StoreError> {
    if batch.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let mut known = Known::look(session, batch).await?;
    let decided: Vec<_> = batch.iter().map(|new| known.decide(new)).collect();
    if !known.keep(session).await? {
        return Ok(None);
    }
    let is_fresh: Vec<_> = decided.iter().map(Option::is_none).collect();
    let mut fresh = Fresh::of(batch, &is_fresh);
    fresh.take_places(session, node).await?;
    if !fresh.insert(session, node).await? {
        return Ok(None);
    }
    Ok(Some(decided.into_iter().map(|it| it.unwrap_or(AppendOutcome::New)).collect()))
}

/// No deliveries for the store.
fn is_held(new: &NewMessage) -> bool {
    new.targets.iter().all(|target| matches!(target.hold, Hold::Leased(_)))
}

/// Messages to insert, each once, and their deliveries.
struct Fresh<'a> {
    messages: Vec<&'a NewMessage>,
    deliveries: Vec<Waiting<'a>>,
}

struct Waiting<'a> {
    message: &'a Message,
    /// Where the message is among those to insert, counted from 1.
    place: i32,
    target: &'a Target,
    position: Option<i64>,
}

impl<'a> Fresh<'a> {
    fn of(batch: &'a [NewMessage], is_fresh: &[bool]) -> Self {
        let mut seen = HashSet::with_capacity(batch.len());
        let messages: Vec<_> = batch
            .iter()
            .zip(is_fresh)
            .filter(|(new, is_fresh)| **is_fresh && seen.insert(new.message.id))
            .map(|(new, _)| new)
            .collect();
        let deliveries = (1..)
            .zip(&messages)
            .flat_map(|(place, new)| {
                let message = &*new.message;
                let waiting = move |target| Waiting { message, place, target, position: None };
                new.targets.iter().map(waiting)
            })
            .collect();
        Self { messages, deliveries }
    }

    /// Makes the lanes of what nobody holds due, and gives out places in their orders.
    async fn take_places(&mut self, session: &mut Session, node: i64) -> Result<(), StoreError> {
        let mut lanes: BTreeMap<LaneKey, lane::Rise> = BTreeMap::new();
        for waiting in &self.deliveries {
            if let Hold::Free(at) = waiting.target.hold {
                let key = lane_key(waiting);
                lanes.entry(key).or_default().note(at, waiting.target.order);
            }
        }
        let mut places = lane::rise(session, node, &lanes).await?;
        for waiting in &mut self.deliveries {
            if waiting.target.order == DeliveryOrder::InOrder {
                let place = places.get_mut(&lane_key(waiting));
                waiting.position = place.map(|place| {
                    *place += 1;
                    *place
                });
            }
        }
        Ok(())
    }

    /// Inserts everything with its keys in a transaction of its own; `false`, and nothing is
    /// done, if a message or a key of one is known.
    async fn insert_alone(&self, session: &mut Session, node: i64) -> Result<bool, StoreError> {
        let columns = Columns::of(self, node);
        let params = columns.params();
        let inserted = if self.messages.iter().any(|new| keyed::is_keyed(new)) {
            let params = [&params[..], &[(&columns.digest, Type::BYTEA_ARRAY)]].concat();
            session.execute(INSERT_KEYED, &params).await
        } else {
            session.execute(INSERT, &params).await
        };
        is_new(inserted)
    }

    /// Inserts everything but the keys, as a part of a transaction; `false`, and the transaction
    /// has to be rolled back, if one of the messages became known since it was looked for.
    async fn insert(&self, session: &mut Session, node: i64) -> Result<bool, StoreError> {
        if self.messages.is_empty() {
            return Ok(true);
        }
        let columns = Columns::of(self, node);
        is_new(session.execute(INSERT, &columns.params()).await)
    }
}

/// Whether an insertion found nothing that was there already.
fn is_new(inserted: Result<u64, StoreError>) -> Result<bool, StoreError> {
    match inserted {
        Err(error) if trouble::broken_index(&error).is_some() => Ok(false),
        result => result.map(|_| true),
    }
}

fn lane_key(waiting: &Waiting<'_>) -> LaneKey {
    (waiting.message.application.into(), waiting.target.endpoint.into())
}

/// The endpoints of all messages are one array, of which each message has a piece. A delivery
/// names its message by the place in the other arrays: a join of two sets of the batch would cost
/// the square of its size.
macro_rules! insert {
    ($keys:literal) => {
        concat!(
            "
WITH ",
            $keys,
            "new AS (
    INSERT INTO message
        (application, id, event_type, event_id, targets, details, body, body_until)
    SELECT application, id, event_type, event_id,
        ($7::uuid[])[first : last], details, body, body_until
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[],
            $8::bytea[], $9::bytea[], $10::bigint[])
        AS m (application, id, event_type, event_id, first, last, details, body, body_until)
)
INSERT INTO queue
    (application, endpoint, message, attempt, manual, reported,
     due_at, free_at, holder, turn, position, attempts)
SELECT ($1::uuid[])[place], endpoint, ($2::uuid[])[place], 1, false, false,
    due_at, free_at, holder, turn, position, '{}'
FROM unnest($7::uuid[], $11::int[], $12::bigint[], $13::bigint[], $14::bigint[],
        $15::smallint[], $16::bigint[])
    AS q (endpoint, place, due_at, free_at, holder, turn, position)"
        )
    };
}

/// Fails if a message is known. That is rare, and not looking for it first saves the database a
/// tenth of its work.
pub(super) const INSERT: &str = insert!("");

/// The same with keys, each of which has to be new.
pub(super) const INSERT_KEYED: &str = insert!(
    "digests AS (
    INSERT INTO idempotency (application, digest, message)
    SELECT application, digest, id
    FROM unnest($1::uuid[], $2::uuid[], $17::bytea[]) AS k (application, id, digest)
    WHERE digest IS NOT NULL
), event_ids AS (
    INSERT INTO event_id (application, event_id, message)
    SELECT application, event_id, id
    FROM unnest($1::uuid[], $2::uuid[], $4::text[]) AS k (application, id, event_id)
    WHERE event_id IS NOT NULL
), "
);

#[derive(Default)]
struct Columns<'a> {
    application: Vec<Uuid>,
    id: Vec<Uuid>,
    event_type: Vec<&'a str>,
    event_id: Vec<Option<&'a str>>,
    digest: Vec<Option<&'a [u8]>>,
    first: Vec<i32>,
    last: Vec<i32>,
    endpoint: Vec<Uuid>,
    details: Vec<Vec<u8>>,
    body: Vec<Option<&'a [u8]>>,
    body_until: Vec<i64>,
    place: Vec<i32>,
    due_at: Vec<i64>,
    free_at: Vec<i64>,
    holder: Vec<Option<i64>>,
    turn: Vec<i16>,
    position: Vec<Option<i64>>,
}

impl<'a> Columns<'a> {
    fn of(fresh: &Fresh<'a>, node: i64) -> Self {
        let mut columns = Self::default();
        let mut first = 1;
        for new in &fresh.messages {
            let count = i32::try_from(new.targets.len()).expect("an application has fewer");
            columns.push_message(&new.message, first, first + count - 1);
            columns.digest.push(new.idempotency.as_ref().map(|it| &it[..]));
            first += count;
        }
        for waiting in &fresh.deliveries {
            columns.push_delivery(waiting, node);
        }
        columns
    }

    fn push_message(&mut self, message: &'a Message, first: i32, last: i32) {
        self.application.push(message.application.into());
        self.id.push(message.id.into());
        self.event_type.push(message.event_type.as_str());
        self.event_id.push(message.event_id.as_ref().map(postrider::Uid::as_str));
        self.first.push(first);
        self.last.push(last);
        self.details.push(row::message_details(message));
        self.body.push(message.body.as_deref());
        self.body_until.push(millis(message.body_until));
    }

    fn push_delivery(&mut self, waiting: &Waiting<'_>, node: i64) {
        let Waiting { message, place, target, position } = waiting;
        self.endpoint.push(target.endpoint.into());
        self.place.push(*place);
        let (due_at, free_at, holder) = match target.hold {
            Hold::Leased(until) => (first_due(message), until, Some(node)),
            Hold::Free(at) => (at, at, None),
        };
        self.due_at.push(millis(due_at));
        self.free_at.push(millis(free_at));
        self.holder.push(holder);
        self.turn.push(lane::small(target.order));
        self.position.push(*position);
    }

    fn params(&self) -> [super::session::Param<'_>; 16] {
        [
            (&self.application, Type::UUID_ARRAY),
            (&self.id, Type::UUID_ARRAY),
            (&self.event_type, Type::TEXT_ARRAY),
            (&self.event_id, Type::TEXT_ARRAY),
            (&self.first, Type::INT4_ARRAY),
            (&self.last, Type::INT4_ARRAY),
            (&self.endpoint, Type::UUID_ARRAY),
            (&self.details, Type::BYTEA_ARRAY),
            (&self.body, Type::BYTEA_ARRAY),
            (&self.body_until, Type::INT8_ARRAY),
            (&self.place, Type::INT4_ARRAY),
            (&self.due_at, Type::INT8_ARRAY),
            (&self.free_at, Type::INT8_ARRAY),
            (&self.holder, Type::INT8_ARRAY),
            (&self.turn, Type::INT2_ARRAY),
            (&self.position, Type::INT8_ARRAY),
        ]
    }
}

/// When a fresh delivery of the message is due.
fn first_due(message: &Message) -> Timestamp {
    message.deliver_at.unwrap_or_default().max(message.created_at())
}
