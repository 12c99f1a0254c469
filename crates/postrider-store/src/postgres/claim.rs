//! Takes due deliveries, and gives them back.
//!
//! A claim locks lanes first, those that wait longest, and passes over lanes that another
//! claim has locked; then it takes from each what the caller has room for. So it costs by what
//! it takes, whatever waits for endpoints without room.

mod take;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    message::Message,
    time::Timestamp,
};
use tokio_postgres::types::Type;

use self::take::Taken;
#[cfg(test)]
pub(super) use self::take::{HEADS, TAKE, TAKE_HEADS};
use super::{
    ending,
    lane::{self, LaneKey},
    row,
    session::{Param, Session},
    value::{self, Uuid, millis},
};
use crate::{Claim, ClaimedBatch, Shard, StoreError};

/// Leases that one claim ends, at most; the next one goes on.
const ENDED: i64 = 1_000;

/// Lanes that a claim looks at beyond its limit, since some may turn out to have nothing.
const SPARE_LANES: i64 = 64;

/// What was taken is told in `taken`, too, if the claim fails: then nobody knows whether it was.
pub(super) async fn claim(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    taken: &mut Vec<Delivery>,
) -> Result<ClaimedBatch, StoreError> {
    taken.clear();
    let mut lease_end = lease_end(session).await?;
    if lease_end.is_some_and(|end| end <= claim.now) {
        end_leases(session, node, claim.now).await?;
        lease_end = self::lease_end(session).await?;
    }
    let mut claimed = ClaimedBatch::default();
    let mut left: HashMap<EndpointId, usize> = claim.capacities.clone();
    let mut next_due = next_lane(session, node, claim, &left).await?;
    if next_due.is_some_and(|it| it <= claim.now) && claim.limit > 0 {
        session.begin().await?;
        claimed.deliveries = fill(session, node, claim, &mut left).await?;
        taken.extend(claimed.deliveries.iter().map(|(it, _)| *it));
        session.commit().await?;
        next_due = next_lane(session, node, claim, &left).await?;
    }
    if !claimed.deliveries.is_empty() {
        lease_end = Some(lease_end.map_or(claim.lease_until, |it| it.min(claim.lease_until)));
    }
    claimed.next_due = [next_due, lease_end].into_iter().flatten().min();
    Ok(claimed)
}

/// Takes from lanes until the claim's limit is reached; `left` is what room remains.
async fn fill(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    left: &mut HashMap<EndpointId, usize>,
) -> Result<Vec<(Delivery, Arc<Message>)>, StoreError> {
    let lanes = lock_lanes(session, node, claim).await?;
    let taken = take::take(session, node, claim, &lanes).await?;
    let mut found = Vec::with_capacity(taken.len());
    let mut bodiless = Vec::new();
    let messages = messages(session, &taken).await?;
    for Taken { delivery, .. } in &taken {
        match messages.get(&delivery.id.message).filter(|it| it.body.is_some()) {
            Some(message) => found.push((*delivery, Arc::clone(message))),
            None => bodiless.push(delivery),
        }
    }
    ending::end_bodiless(session, &bodiless).await?;
    for (delivery, _) in &found {
        let room = left.entry(delivery.id.endpoint).or_insert(claim.per_endpoint);
        *room = room.saturating_sub(1);
    }
    for lane in &lanes {
        if lane.is_orphan {
            ending::cancel_lane(session, lane.application, lane.endpoint).await?;
        }
    }
    let visited: Vec<_> = lanes.iter().map(|it| (it.application, it.endpoint)).collect();
    lane::refresh(session, &visited).await?;
    Ok(found)
}

/// A lane that this claim has locked.
struct Lane {
    application: ApplicationId,
    endpoint: EndpointId,
    is_in_order: bool,
    /// Its endpoint is gone.
    is_orphan: bool,
}

/// Whether an application falls into the shard; see [`Shard::holds`]. The low 64 bits of its
/// id, which SQL has no unsigned number for, come as two halves.
macro_rules! in_shard {
    ($count:literal, $index:literal) => {
        concat!(
            "(",
            $count,
            " = 1 OR (
        (('x' || substr(replace(l.application::text, '-', ''), 17, 8))::bit(32)::bigint % ",
            $count,
            ") * (4294967296 % ",
            $count,
            ") + ('x' || substr(replace(l.application::text, '-', ''), 25, 8))::bit(32)::bigint
        ) % ",
            $count,
            " = ",
            $index,
            ")"
        )
    };
}

/// Each endpoint is looked for alone: the offset keeps all of them from being read instead.
pub(super) const LOCK_LANES: &str = concat!(
    "
SELECT l.application, l.endpoint, l.turn, l.owner,
    NOT EXISTS (
        SELECT FROM endpoint e WHERE e.application = l.application AND e.id = l.endpoint OFFSET 0
    )
FROM lane l
WHERE l.due_at <= $1 AND NOT l.paused AND l.rest_until <= $1 AND (l.owner IS NULL OR l.owner = $2)
    AND l.endpoint NOT IN (SELECT unnest($3::uuid[]))
    AND ($7 OR l.endpoint IN (SELECT unnest($8::uuid[]))) AND ",
    in_shard!("$4", "$5"),
    "
ORDER BY l.due_at, l.endpoint LIMIT $6
FOR UPDATE OF l SKIP LOCKED"
);

/// From then on nobody else may claim from the lanes.
pub(super) const OWN: &str = "
UPDATE lane l SET owner = $1, fence = l.fence + 1
FROM unnest($2::uuid[], $3::uuid[]) AS k (application, endpoint)
WHERE l.application = ANY (ARRAY[k.application]) AND l.endpoint = k.endpoint";

async fn lock_lanes(
    session: &mut Session,
    node: i64,
    claim: &Claim,
) -> Result<Vec<Lane>, StoreError> {
    let rooms = Rooms::of(claim, &claim.capacities);
    let (count, index) = shard(claim.shard);
    let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX).saturating_add(SPARE_LANES);
    let params: [Param<'_>; 8] = [
        (&millis(claim.now), Type::INT8),
        (&node, Type::INT8),
        (&rooms.full, Type::UUID_ARRAY),
        (&count, Type::INT8),
        (&index, Type::INT8),
        (&limit, Type::INT8),
        (&rooms.others_have_room, Type::BOOL),
        (&rooms.named, Type::UUID_ARRAY),
    ];
    let rows = session.query(LOCK_LANES, &params).await?;
    let is_new = |row: &&tokio_postgres::Row| {
        row.get::<_, i16>(2) > 0 && row.get::<_, Option<i64>>(3).is_none()
    };
    let new: Vec<_> = rows.iter().filter(is_new).collect();
    if !new.is_empty() {
        let application: Vec<Uuid> = new.iter().map(|row| row.get(0)).collect();
        let endpoint: Vec<Uuid> = new.iter().map(|row| row.get(1)).collect();
        let params: [Param<'_>; 3] =
            [(&node, Type::INT8), (&application, Type::UUID_ARRAY), (&endpoint, Type::UUID_ARRAY)];
        session.execute(OWN, &params).await?;
    }
    let lane = |row: &tokio_postgres::Row| Lane {
        application: row.get::<_, Uuid>(0).into(),
        endpoint: row.get::<_, Uuid>(1).into(),
        is_in_order: row.get::<_, i16>(2) == lane::small(crate::DeliveryOrder::InOrder),
        is_orphan: row.get(4),
    };
    Ok(rows.iter().map(lane).collect())
}

fn shard(shard: Shard) -> (i64, i64) {
    let number = |it| i64::try_from(it).unwrap_or(i64::MAX);
    (number(shard.count), number(shard.index))
}

/// Who has room, as the statements take it.
struct Rooms {
    /// Endpoints without room.
    full: Vec<Uuid>,
    others_have_room: bool,
    /// Endpoints with room, if the others have none.
    named: Vec<Uuid>,
}

impl Rooms {
    fn of(claim: &Claim, rooms: &HashMap<EndpointId, usize>) -> Self {
        let of = |has_room: bool| {
            let matching = rooms.iter().filter(move |(_, room)| (**room > 0) == has_room);
            matching.map(|(id, _)| Uuid::from(*id)).collect::<Vec<_>>()
        };
        let others_have_room = claim.per_endpoint > 0;
        let named = if others_have_room { Vec::new() } else { of(true) };
        Self { full: of(false), others_have_room, named }
    }
}

pub(super) const NEXT_LANE: &str = concat!(
    "
SELECT greatest(l.due_at, l.rest_until) FROM lane l
WHERE l.due_at IS NOT NULL AND NOT l.paused AND (l.owner IS NULL OR l.owner = $1)
    AND l.endpoint NOT IN (SELECT unnest($2::uuid[]))
    AND ($5 OR l.endpoint IN (SELECT unnest($6::uuid[]))) AND ",
    in_shard!("$3", "$4"),
    "
ORDER BY l.due_at LIMIT 1"
);

/// When the first lane with room falls due.
async fn next_lane(
    session: &mut Session,
    node: i64,
    claim: &Claim,
    rooms: &HashMap<EndpointId, usize>,
) -> Result<Option<Timestamp>, StoreError> {
    let rooms = Rooms::of(claim, rooms);
    let (count, index) = shard(claim.shard);
    let params: [Param<'_>; 6] = [
        (&node, Type::INT8),
        (&rooms.full, Type::UUID_ARRAY),
        (&count, Type::INT8),
        (&index, Type::INT8),
        (&rooms.others_have_room, Type::BOOL),
        (&rooms.named, Type::UUID_ARRAY),
    ];
    let row = session.query_opt(NEXT_LANE, &params).await?;
    Ok(row.map(|row| value::timestamp(row.get(0))))
}

pub(super) const MESSAGES: &str = concat!(
    "
SELECT ",
    row::message_columns!(),
    "
FROM unnest($1::uuid[], $2::uuid[]) AS k (application, id)
CROSS JOIN LATERAL (
    SELECT * FROM message
    WHERE application = k.application AND id = k.id AND id >= $3 AND id <= $4
    LIMIT 1
) m"
);

/// The messages of the deliveries.
async fn messages(
    session: &mut Session,
    taken: &[Taken],
) -> Result<HashMap<MessageId, Arc<Message>>, StoreError> {
    let keys: BTreeMap<Uuid, Uuid> = taken
        .iter()
        .map(|it| (it.delivery.id.message.into(), it.delivery.application.into()))
        .collect();
    let (Some((first, _)), Some((last, _))) = (keys.first_key_value(), keys.last_key_value())
    else {
        return Ok(HashMap::new());
    };
    let application: Vec<_> = keys.values().copied().collect();
    let id: Vec<_> = keys.keys().copied().collect();
    let params: [Param<'_>; 4] = [
        (&application, Type::UUID_ARRAY),
        (&id, Type::UUID_ARRAY),
        (first, Type::UUID),
        (last, Type::UUID),
    ];
    let mut messages = HashMap::with_capacity(id.len());
    for row in session.query(MESSAGES, &params).await? {
        let message = row::message(&row)?;
        messages.insert(message.id, Arc::new(message));
    }
    Ok(messages)
}

pub(super) const LEASE_END: &str = "
SELECT free_at FROM queue WHERE holder IS NOT NULL ORDER BY free_at LIMIT 1";

async fn lease_end(session: &mut Session) -> Result<Option<Timestamp>, StoreError> {
    let row = session.query_opt(LEASE_END, &[]).await?;
    Ok(row.map(|row| value::timestamp(row.get(0))))
}

pub(super) const END_LEASES: &str = "
UPDATE queue q SET holder = NULL, free_at = q.due_at
FROM (
    SELECT application, endpoint, message FROM queue
    WHERE holder IS NOT NULL AND free_at <= $1
    ORDER BY free_at LIMIT $2 FOR UPDATE SKIP LOCKED
) ended
WHERE q.application = ANY (ARRAY[ended.application]) AND q.endpoint = ended.endpoint
    AND q.message = ended.message
RETURNING q.application, q.endpoint, q.due_at, q.turn";

/// Frees what has been held for too long.
async fn end_leases(session: &mut Session, node: i64, now: Timestamp) -> Result<(), StoreError> {
    loop {
        session.begin().await?;
        let params: [Param<'_>; 2] = [(&millis(now), Type::INT8), (&ENDED, Type::INT8)];
        let freed = session.query(END_LEASES, &params).await?;
        raise(session, node, &freed).await?;
        session.commit().await?;
        if i64::try_from(freed.len()).unwrap_or(i64::MAX) < ENDED {
            return Ok(());
        }
    }
}

/// Makes the lanes of freed deliveries due: rows of application, endpoint, `due_at` and turn.
pub(super) async fn raise(
    session: &mut Session,
    node: i64,
    freed: &[tokio_postgres::Row],
) -> Result<(), StoreError> {
    let mut lanes: BTreeMap<LaneKey, lane::Rise> = BTreeMap::new();
    for row in freed {
        let rise = lanes.entry((row.get(0), row.get(1))).or_default();
        rise.again(value::timestamp(row.get(2)), lane::turn(row.get(3)));
    }
    lane::rise(session, node, &lanes).await.map(drop)
}

/// With `=` it would follow that the holder is not null, and the planner could walk along the whole
/// index of held deliveries for each member of the batch.
pub(super) const RELEASE: &str = "
UPDATE queue q SET holder = NULL, due_at = k.at, free_at = k.at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[])
    AS k (application, endpoint, message, at)
WHERE q.application = ANY (ARRAY[k.application]) AND q.endpoint = k.endpoint AND q.message = k.message
    AND q.holder IS NOT DISTINCT FROM $5
RETURNING q.application, q.endpoint, q.due_at, q.turn, q.message";

/// Gives deliveries back; those that this node held.
pub(super) async fn release(
    session: &mut Session,
    node: i64,
    deliveries: &[(Delivery, Timestamp)],
) -> Result<Vec<DeliveryId>, StoreError> {
    let mut sorted: BTreeMap<(Uuid, Uuid, Uuid), i64> = BTreeMap::new();
    for (delivery, at) in deliveries {
        let key =
            (delivery.application.into(), delivery.id.endpoint.into(), delivery.id.message.into());
        sorted.entry(key).or_insert(millis(*at));
    }
    let application: Vec<_> = sorted.keys().map(|it| it.0).collect();
    let endpoint: Vec<_> = sorted.keys().map(|it| it.1).collect();
    let message: Vec<_> = sorted.keys().map(|it| it.2).collect();
    let at: Vec<_> = sorted.values().copied().collect();
    let params: [Param<'_>; 5] = [
        (&application, Type::UUID_ARRAY),
        (&endpoint, Type::UUID_ARRAY),
        (&message, Type::UUID_ARRAY),
        (&at, Type::INT8_ARRAY),
        (&node, Type::INT8),
    ];
    session.begin().await?;
    let freed = session.query(RELEASE, &params).await?;
    raise(session, node, &freed).await?;
    session.commit().await?;
    let id = |row: &tokio_postgres::Row| DeliveryId {
        endpoint: row.get::<_, Uuid>(1).into(),
        message: row.get::<_, Uuid>(4).into(),
    };
    Ok(freed.iter().map(id).collect())
}
