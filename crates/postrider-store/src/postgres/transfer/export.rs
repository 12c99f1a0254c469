//! What the database has, part by part.

use std::collections::HashMap;

use postrider_core::delivery::Attempt;
use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::Type};

use crate::{
    DeliveryOrder, StoreError,
    postgres::{
        row::{self, attempt_columns, message_columns},
        session::{Param, Session},
        trouble,
        value::{self, Uuid},
    },
    transfer::{
        Chunk, CompletedKey, Cursor, DeliveryExport, DeliveryState, EndpointExport, ExportPage,
        MessageExport, PART_BYTES, PendingState, corrupt, names, next_cursor,
    },
};

const APPLICATIONS: &str = "SELECT record, id FROM application WHERE id > $1 ORDER BY id LIMIT $2";

const ENDPOINTS: &str = "SELECT record, application, id, failing_since
    FROM endpoint
    WHERE (application, id) > ($1, $2)
    ORDER BY application, id
    LIMIT $3";

const EVENT_TYPES: &str = "SELECT record, organization, name
    FROM event_type
    WHERE (organization, name) > ($1, $2)
    ORDER BY organization, name
    LIMIT $3";

const SOURCES: &str = "SELECT record, id FROM source WHERE id > $1 ORDER BY id LIMIT $2";

/// As many as fit behind each other into a part, and one more that does not.
pub(in crate::postgres) const MESSAGES: &str = concat!(
    "SELECT ",
    message_columns!(),
    ", m.targets, i.digest
    FROM (
        SELECT *, sum(octet_length(body)) OVER (
            ORDER BY application, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS bytes_before
        FROM (
            SELECT * FROM message
            WHERE (application, id) > ($1, $2)
            ORDER BY application, id
            LIMIT $3
        ) next
    ) m
    LEFT JOIN LATERAL (
        SELECT digest FROM idempotency WHERE application = m.application AND message = m.id
        LIMIT 1
    ) i ON true
    WHERE coalesce(m.bytes_before, 0) < $4
    ORDER BY m.application, m.id",
);

/// The bounds keep partitions out of it.
pub(in crate::postgres) const ENDED: &str = "SELECT d.message, d.endpoint, d.attempts, d.state
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (application, endpoint, message)
    CROSS JOIN LATERAL (
        SELECT * FROM delivery
        WHERE application = k.application AND endpoint = k.endpoint AND message = k.message
            AND message BETWEEN $4 AND $5
        LIMIT 1
    ) AS d";

pub(in crate::postgres) const QUEUED: &str = "SELECT q.message, q.endpoint, q.attempts,
        q.attempt, q.manual, q.reported, q.due_at, q.turn, q.position, q.resume_at
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (application, endpoint, message)
    CROSS JOIN LATERAL (
        SELECT * FROM queue
        WHERE application = k.application AND endpoint = k.endpoint AND message = k.message
            AND message BETWEEN $4 AND $5
        LIMIT 1
    ) AS q";

pub(in crate::postgres) const ATTEMPTS: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (application, endpoint, id)
    CROSS JOIN LATERAL (
        SELECT * FROM attempt
        WHERE application = k.application AND endpoint = k.endpoint AND id = k.id
            AND id BETWEEN $4 AND $5
        LIMIT 1
    ) AS a",
);

const RECOVERIES: &str = "SELECT record, number, reached
    FROM recovery
    WHERE number > $1
    ORDER BY number
    LIMIT $2";

/// What has no answer yet is forgotten with the node that was to give it.
const ANSWERS: &str = "SELECT digest, fingerprint, answer, answered_at
    FROM reservation
    WHERE digest > $1 AND answer IS NOT NULL
    ORDER BY digest
    LIMIT $2";

pub(super) async fn applications(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let id = Uuid(after.id()?);
    let params: [Param<'_>; 2] = [(&id, Type::UUID), (&rows(limit), Type::INT8)];
    let found = session.query(APPLICATIONS, &params).await?;
    let next = next_cursor(&found, limit, |row| id_at(row, 1).to_vec());
    Ok(ExportPage { chunk: Chunk::Applications(records("application", &found)?), next })
}

pub(super) async fn endpoints(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (application, id) = pair(after)?;
    let params: [Param<'_>; 3] =
        [(&application, Type::UUID), (&id, Type::UUID), (&rows(limit), Type::INT8)];
    let found = session.query(ENDPOINTS, &params).await?;
    let next = next_cursor(&found, limit, |row| [id_at(row, 1), id_at(row, 2)].concat());
    let posted = |row: &Row| {
        let failing_since = row.get::<_, Option<i64>>(3).map(value::timestamp);
        Ok(EndpointExport { endpoint: record("endpoint", row)?, failing_since })
    };
    let posted = found.iter().map(posted).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::Endpoints(posted), next })
}

pub(super) async fn event_types(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, name) = after.names()?;
    let params: [Param<'_>; 3] =
        [(&organization, Type::TEXT), (&name, Type::TEXT), (&rows(limit), Type::INT8)];
    let found = session.query(EVENT_TYPES, &params).await?;
    let next = next_cursor(&found, limit, |row| names(row.get(1), row.get(2)));
    Ok(ExportPage { chunk: Chunk::EventTypes(records("event type", &found)?), next })
}

pub(super) async fn sources(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let id = Uuid(after.id()?);
    let params: [Param<'_>; 2] = [(&id, Type::UUID), (&rows(limit), Type::INT8)];
    let found = session.query(SOURCES, &params).await?;
    let next = next_cursor(&found, limit, |row| id_at(row, 1).to_vec());
    Ok(ExportPage { chunk: Chunk::Sources(records("source", &found)?), next })
}

/// The records in the first columns.
fn records<T: DeserializeOwned>(what: &'static str, rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| record(what, row)).collect()
}

fn record<T: DeserializeOwned>(what: &'static str, row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(row.get(0)).map_err(|error| trouble::corrupt(what, error))
}

pub(super) async fn messages(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (application, id) = pair(after)?;
    let params: [Param<'_>; 4] = [
        (&application, Type::UUID),
        (&id, Type::UUID),
        (&rows(limit), Type::INT8),
        (&rows(PART_BYTES), Type::INT8),
    ];
    let found = session.query(MESSAGES, &params).await?;
    // Whether it ended for want of room is not known, and an empty part costs little.
    let next = found.last().map(|row| [id_at(row, 0), id_at(row, 1)].concat());
    let deliveries = Deliveries::fetch(session, &found).await?;
    let parcels = found.iter().map(|row| deliveries.parcel(row)).collect::<Result<_, _>>()?;
    Ok(ExportPage { chunk: Chunk::Messages(parcels), next })
}

/// Deliveries and attempts of some messages.
struct Deliveries {
    /// By message and endpoint.
    standings: HashMap<(Uuid, Uuid), (DeliveryState, Vec<Uuid>)>,
    attempts: HashMap<Uuid, Attempt>,
}

impl Deliveries {
    /// Fetches all that belongs to these rows of [`MESSAGES`].
    async fn fetch(session: &mut Session, messages: &[Row]) -> Result<Self, StoreError> {
        let mut keys = Keys::default();
        for row in messages {
            for endpoint in row.get::<_, Vec<Uuid>>(7) {
                keys.push(row.get(0), endpoint, row.get(1));
            }
        }
        let mut standings = HashMap::new();
        for row in session.query(ENDED, &keys.params()).await? {
            standings.insert((row.get(0), row.get(1)), (ended(row.get(3))?, row.get(2)));
        }
        for row in session.query(QUEUED, &keys.params()).await? {
            standings.insert((row.get(0), row.get(1)), (queued(&row), row.get(2)));
        }
        let attempts = fetch_attempts(session, &keys, &standings).await?;
        Ok(Self { standings, attempts })
    }

    fn parcel(&self, row: &Row) -> Result<MessageExport, StoreError> {
        let digest: Option<&[u8]> = row.get(8);
        let idempotency = digest.map(|it| it.try_into().map_err(|it| corrupt("digest", it)));
        let deliveries = row.get::<_, Vec<Uuid>>(7).into_iter();
        let deliveries = deliveries.filter_map(|endpoint| self.delivery(row.get(1), endpoint));
        Ok(MessageExport {
            message: row::message(row)?,
            idempotency: idempotency.transpose()?,
            deliveries: deliveries.collect(),
        })
    }

    fn delivery(&self, message: Uuid, endpoint: Uuid) -> Option<DeliveryExport> {
        let (standing, ids) = self.standings.get(&(message, endpoint))?;
        let attempts = ids.iter().filter_map(|id| self.attempts.get(id)).cloned().collect();
        let made = u16::try_from(ids.len()).unwrap_or(u16::MAX);
        Some(DeliveryExport { endpoint: endpoint.into(), state: *standing, made, attempts })
    }
}

async fn fetch_attempts(
    session: &mut Session,
    deliveries: &Keys,
    standings: &HashMap<(Uuid, Uuid), (DeliveryState, Vec<Uuid>)>,
) -> Result<HashMap<Uuid, Attempt>, StoreError> {
    let mut keys = Keys::default();
    for (application, endpoint, message) in deliveries.iter() {
        let Some((_, ids)) = standings.get(&(message, endpoint)) else { continue };
        for id in ids {
            keys.push(application, endpoint, *id);
        }
    }
    let rows = session.query(ATTEMPTS, &keys.params()).await?;
    rows.iter().map(|row| Ok((row.get(2), row::attempt(row)?))).collect()
}

/// Keys of an application's endpoint's rows, and the least and the greatest of their last
/// parts, which are times.
struct Keys {
    applications: Vec<Uuid>,
    endpoints: Vec<Uuid>,
    ids: Vec<Uuid>,
    first: Uuid,
    last: Uuid,
}

impl Default for Keys {
    fn default() -> Self {
        let (first, last) = (Uuid(u128::MAX), Uuid(0));
        Self { applications: Vec::new(), endpoints: Vec::new(), ids: Vec::new(), first, last }
    }
}

impl Keys {
    fn push(&mut self, application: Uuid, endpoint: Uuid, id: Uuid) {
        self.applications.push(application);
        self.endpoints.push(endpoint);
        self.ids.push(id);
        self.first = self.first.min(id);
        self.last = self.last.max(id);
    }

    fn iter(&self) -> impl Iterator<Item = (Uuid, Uuid, Uuid)> {
        let keys = self.applications.iter().zip(&self.endpoints).zip(&self.ids);
        keys.map(|((&application, &endpoint), &id)| (application, endpoint, id))
    }

    fn params(&self) -> [Param<'_>; 5] {
        [
            (&self.applications, Type::UUID_ARRAY),
            (&self.endpoints, Type::UUID_ARRAY),
            (&self.ids, Type::UUID_ARRAY),
            (&self.first, Type::UUID),
            (&self.last, Type::UUID),
        ]
    }
}

fn ended(state: i16) -> Result<DeliveryState, StoreError> {
    match state {
        1 => Ok(DeliveryState::Delivered),
        2 => Ok(DeliveryState::Failed),
        3 => Ok(DeliveryState::Cancelled),
        _ => Err(trouble::corrupt("delivery", "it stands nowhere")),
    }
}

/// A row of [`QUEUED`].
fn queued(row: &Row) -> DeliveryState {
    let position = row.get::<_, Option<i64>>(8);
    DeliveryState::Pending(PendingState {
        attempt: row::number(row.get(3)),
        trigger: row::trigger(row.get(4)),
        retry_plan: row::retry_plan(row.get(9)),
        reported: row.get(5),
        due_at: value::timestamp(row.get(6)),
        order: match (row.get::<_, i16>(7), position) {
            (2, Some(_)) => DeliveryOrder::InOrder,
            (0, _) => DeliveryOrder::Any,
            // One that was taken out of the order, too.
            _ => DeliveryOrder::Owned,
        },
        position,
    })
}

pub(super) async fn recoveries(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let number = i64::try_from(after.id()?).unwrap_or(i64::MAX);
    let params: [Param<'_>; 2] = [(&number, Type::INT8), (&rows(limit), Type::INT8)];
    let found = session.query(RECOVERIES, &params).await?;
    let next =
        next_cursor(&found, limit, |row| i128::from(row.get::<_, i64>(1)).to_be_bytes().to_vec());
    let recovery = |row: &Row| Ok((record("recovery", row)?, row.get::<_, Uuid>(2).into()));
    let recoveries = found.iter().map(recovery).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::Recoveries(recoveries), next })
}

pub(super) async fn answers(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let params: [Param<'_>; 2] = [(&after.after, Type::BYTEA), (&rows(limit), Type::INT8)];
    let found = session.query(ANSWERS, &params).await?;
    let next = next_cursor(&found, limit, |row| row.get(0));
    let digest = |row: &Row, column: usize| {
        let bytes = row.get::<_, &[u8]>(column).try_into();
        bytes.map_err(|error| corrupt("idempotency key", error))
    };
    let answer = |row: &Row| {
        Ok(CompletedKey {
            key: digest(row, 0)?,
            fingerprint: digest(row, 1)?,
            response: row.get(2),
            answered_at: value::timestamp(row.get::<_, Option<i64>>(3).unwrap_or_default()),
        })
    };
    let answers = found.iter().map(answer).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::CompletedKeys(answers), next })
}

/// Two ids behind which to go on.
fn pair(place: &Cursor) -> Result<(Uuid, Uuid), StoreError> {
    let half = |bytes: &[u8]| match bytes.try_into() {
        Ok(bytes) => Ok(Uuid(u128::from_be_bytes(bytes))),
        Err(error) => Err(corrupt("progress of a copy", error)),
    };
    if place.after.is_empty() {
        return Ok((Uuid(0), Uuid(0)));
    }
    let (first, second) = place.after.split_at(place.after.len() / 2);
    Ok((half(first)?, half(second)?))
}

fn id_at(row: &Row, column: usize) -> [u8; 16] {
    row.get::<_, Uuid>(column).0.to_be_bytes()
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
