//! Reads the chunks of a copy.

use std::collections::HashMap;

use postrider_core::delivery::{Attempt, DeliveryOrder};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use crate::{
    error::StoreError,
    postgres::{
        parameter::Param,
        row,
        session::Session,
        value::{self, Uuid, to_bigint},
    },
    transfer::{
        CHUNK_BYTES, Chunk, CompletedKey, Cursor, DeliveryExport, DeliveryState, EndpointExport,
        ExportPage, MessageExport, PendingState, corrupt, names, next_cursor,
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

const CONNECTORS: &str = "SELECT record, id FROM connector WHERE id > $1 ORDER BY id LIMIT $2";

const CONSUMERS: &str = "SELECT record, id FROM consumer WHERE id > $1 ORDER BY id LIMIT $2";

const PARTITIONS: &str = "SELECT record, consumer
    FROM consumer_partitions
    WHERE consumer > $1
    ORDER BY consumer
    LIMIT $2";

const DEAD_LETTERS: &str = "SELECT record, id FROM dead_letter WHERE id > $1 ORDER BY id LIMIT $2";

/// Dead letters in one chunk: each may be large.
const MAX_DEAD_LETTERS: usize = 16;

/// As many messages as fit into a chunk, and one more, which exceeds it.
pub(in crate::postgres) const MESSAGES: &str = "
    SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, m.body, m.targets,
        i.digest
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
    ORDER BY m.application, m.id";

/// The bounds let the planner skip partitions.
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

pub(in crate::postgres) const ATTEMPTS: &str = "
    SELECT a.endpoint, a.message, a.id, a.number, a.manual, a.details, a.response
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS k (application, endpoint, id)
    CROSS JOIN LATERAL (
        SELECT * FROM attempt
        WHERE application = k.application AND endpoint = k.endpoint AND id = k.id
            AND id BETWEEN $4 AND $5
        LIMIT 1
    ) AS a";

const RECOVERIES: &str = "SELECT record, number, reached
    FROM recovery
    WHERE number > $1
    ORDER BY number
    LIMIT $2";

/// Keys without a response are not copied: the requests ended with their nodes.
const COMPLETED_KEYS: &str = "SELECT digest, fingerprint, answer, answered_at
    FROM reservation
    WHERE digest > $1 AND answer IS NOT NULL
    ORDER BY digest
    LIMIT $2";

pub(super) async fn applications(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, APPLICATIONS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::Applications(records("application", &found)?), next })
}

pub(super) async fn endpoints(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (application, id) = pair(after)?;
    let found = session.query(ENDPOINTS, &[&application, &id, &to_bigint(limit)]).await?;
    let next = next_cursor(&found, limit, |row| [id_at(row, 1), id_at(row, 2)].concat());
    let export = |row: &Row| {
        let failing_since = row.get::<_, Option<i64>>(3).map(value::timestamp);
        Ok(EndpointExport { endpoint: record("endpoint", row)?, failing_since })
    };
    let exports = found.iter().map(export).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::Endpoints(exports), next })
}

pub(super) async fn event_types(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, name) = after.names()?;
    let found = session.query(EVENT_TYPES, &[&organization, &name, &to_bigint(limit)]).await?;
    let next = next_cursor(&found, limit, |row| names(row.get(1), row.get(2)));
    Ok(ExportPage { chunk: Chunk::EventTypes(records("event type", &found)?), next })
}

pub(super) async fn sources(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, SOURCES, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::Sources(records("source", &found)?), next })
}

pub(super) async fn connectors(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, CONNECTORS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::Connectors(records("connector", &found)?), next })
}

pub(super) async fn consumers(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, CONSUMERS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::Consumers(records("consumer", &found)?), next })
}

pub(super) async fn partitions(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, PARTITIONS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::Partitions(records("partitions of a queue", &found)?), next })
}

pub(super) async fn dead_letters(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let limit = limit.min(MAX_DEAD_LETTERS);
    let (found, next) = by_id(session, DEAD_LETTERS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::DeadLetters(records("dead letter", &found)?), next })
}

const API_KEYS: &str = "SELECT record, id FROM api_key WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) async fn api_keys(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, API_KEYS, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::ApiKeys(records("API key", &found)?), next })
}

const TOKEN_POLICIES: &str = "SELECT record, organization
    FROM token_policy
    WHERE organization > $1
    ORDER BY organization
    LIMIT $2";

pub(super) async fn token_policies(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (organization, _) = after.names()?;
    let found = session.query(TOKEN_POLICIES, &[&organization, &to_bigint(limit)]).await?;
    let next = next_cursor(&found, limit, |row| names(row.get(1), ""));
    Ok(ExportPage { chunk: Chunk::TokenPolicies(records("token policy", &found)?), next })
}

const AUDIT_LOG: &str = "SELECT entry, id FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2";

pub(super) async fn audit_log(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, AUDIT_LOG, after, limit).await?;
    Ok(ExportPage { chunk: Chunk::AuditLog(records("audit entry", &found)?), next })
}

const TASKS: &str = "SELECT record, id FROM task WHERE id > $1 ORDER BY id LIMIT $2";

/// Tasks in one chunk: the result of each may be large.
const MAX_TASKS: usize = 16;

pub(super) async fn tasks(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (found, next) = by_id(session, TASKS, after, limit.min(MAX_TASKS)).await?;
    Ok(ExportPage { chunk: Chunk::Tasks(records("background task", &found)?), next })
}

/// Rows in the order of the id in their second column, and the cursor after them.
async fn by_id(
    session: &mut Session,
    sql: &'static str,
    after: &Cursor,
    limit: usize,
) -> Result<(Vec<Row>, Option<Vec<u8>>), StoreError> {
    let found = session.query(sql, &[&Uuid(after.id()?), &to_bigint(limit)]).await?;
    let next = next_cursor(&found, limit, |row| id_at(row, 1).to_vec());
    Ok((found, next))
}

/// The records in the first columns.
fn records<T: DeserializeOwned>(what: &'static str, rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| record(what, row)).collect()
}

fn record<T: DeserializeOwned>(what: &'static str, row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(row.get(0)).map_err(|error| corrupt(what, error))
}

pub(super) async fn messages(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let (application, id) = pair(after)?;
    let found = session
        .query(MESSAGES, &[&application, &id, &to_bigint(limit), &to_bigint(CHUNK_BYTES)])
        .await?;
    // The page may have ended because of its size, so there may be more. An empty page costs little.
    let next = found.last().map(|row| [id_at(row, 0), id_at(row, 1)].concat());
    let deliveries = Deliveries::fetch(session, &found).await?;
    let messages = found.iter().map(|row| deliveries.export(row)).collect::<Result<_, _>>()?;
    Ok(ExportPage { chunk: Chunk::Messages(messages), next })
}

/// Deliveries and attempts of some messages.
struct Deliveries {
    /// By message and endpoint.
    states: HashMap<(Uuid, Uuid), (DeliveryState, Vec<Uuid>)>,
    attempts: HashMap<Uuid, Attempt>,
}

impl Deliveries {
    /// Fetches the deliveries and attempts of rows of [`MESSAGES`].
    async fn fetch(session: &mut Session, messages: &[Row]) -> Result<Self, StoreError> {
        let mut keys = Keys::default();
        for row in messages {
            for endpoint in row.get::<_, Vec<Uuid>>(7) {
                keys.push(row.get(0), endpoint, row.get(1));
            }
        }
        let mut states = HashMap::new();
        for row in session.query(ENDED, &keys.params()).await? {
            states.insert((row.get(0), row.get(1)), (ended(row.get(3))?, row.get(2)));
        }
        for row in session.query(QUEUED, &keys.params()).await? {
            states.insert((row.get(0), row.get(1)), (queued(&row), row.get(2)));
        }
        let attempts = fetch_attempts(session, &keys, &states).await?;
        Ok(Self { states, attempts })
    }

    fn export(&self, row: &Row) -> Result<MessageExport, StoreError> {
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
        let (state, ids) = self.states.get(&(message, endpoint))?;
        let attempts = ids.iter().filter_map(|id| self.attempts.get(id)).cloned().collect();
        let made = u16::try_from(ids.len()).unwrap_or(u16::MAX);
        Some(DeliveryExport { endpoint: endpoint.into(), state: *state, made, attempts })
    }
}

async fn fetch_attempts(
    session: &mut Session,
    deliveries: &Keys,
    states: &HashMap<(Uuid, Uuid), (DeliveryState, Vec<Uuid>)>,
) -> Result<HashMap<Uuid, Attempt>, StoreError> {
    let mut keys = Keys::default();
    for (application, endpoint, message) in deliveries.iter() {
        let Some((_, ids)) = states.get(&(message, endpoint)) else { continue };
        for id in ids {
            keys.push(application, endpoint, *id);
        }
    }
    let rows = session.query(ATTEMPTS, &keys.params()).await?;
    rows.iter().map(|row| Ok((row.get(2), row::attempt(row)?))).collect()
}

/// Keys of rows: application, endpoint and an id; and the lowest and highest id, whose times
/// determine the partitions.
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
        [&self.applications, &self.endpoints, &self.ids, &self.first, &self.last]
    }
}

fn ended(state: i16) -> Result<DeliveryState, StoreError> {
    match state {
        1 => Ok(DeliveryState::Delivered),
        2 => Ok(DeliveryState::Failed),
        3 => Ok(DeliveryState::Cancelled),
        _ => Err(corrupt("delivery", "its state is unknown")),
    }
}

/// A row of [`QUEUED`].
fn queued(row: &Row) -> DeliveryState {
    let position = row.get::<_, Option<i64>>(8);
    DeliveryState::Pending(PendingState {
        attempt: row::from_smallint(row.get(3)),
        trigger: row::trigger(row.get(4)),
        retry_plan: row::retry_plan(row.get(9)),
        reported: row.get(5),
        due_at: value::timestamp(row.get(6)),
        order: match (row.get::<_, i16>(7), position) {
            (2, Some(_)) => DeliveryOrder::InOrder,
            (0, _) => DeliveryOrder::Any,
            // Also for a delivery that was resent, and left the order.
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
    let found = session.query(RECOVERIES, &[&number, &to_bigint(limit)]).await?;
    let next =
        next_cursor(&found, limit, |row| i128::from(row.get::<_, i64>(1)).to_be_bytes().to_vec());
    let recovery = |row: &Row| Ok((record("recovery", row)?, row.get::<_, Uuid>(2).into()));
    let recoveries = found.iter().map(recovery).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::Recoveries(recoveries), next })
}

pub(super) async fn completed_keys(
    session: &mut Session,
    after: &Cursor,
    limit: usize,
) -> Result<ExportPage, StoreError> {
    let found = session.query(COMPLETED_KEYS, &[&after.after, &to_bigint(limit)]).await?;
    let next = next_cursor(&found, limit, |row| row.get(0));
    let digest = |row: &Row, column: usize| {
        let bytes = row.get::<_, &[u8]>(column).try_into();
        bytes.map_err(|error| corrupt("idempotency key", error))
    };
    let completed = |row: &Row| {
        Ok(CompletedKey {
            key: digest(row, 0)?,
            fingerprint: digest(row, 1)?,
            response: row.get(2),
            answered_at: value::timestamp(row.get::<_, Option<i64>>(3).unwrap_or_default()),
        })
    };
    let keys = found.iter().map(completed).collect::<Result<_, StoreError>>()?;
    Ok(ExportPage { chunk: Chunk::CompletedKeys(keys), next })
}

/// The two ids after which the next page starts.
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
