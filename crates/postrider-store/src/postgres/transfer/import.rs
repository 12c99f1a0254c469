//! Writes the chunks of a copy.

use postrider::{AttemptId, MessageId, Uid};
use postrider_core::{
    access::{ApiKey, TokenPolicy},
    audit::AuditEntry,
    catalog::{Application, Connector, Consumer, DeadLetter, EventType, Recovery, Source, Task},
    delivery::{DeliveryOrder, Trigger},
    queue::partitions::Partitions,
};
use serde::Serialize;

use super::{copy_rows::Rows, polling};
use crate::{
    postgres::{
        error::DatabaseError,
        lane, row,
        session::Session,
        value::{Uuid, millis},
    },
    transfer::{
        Chunk, CompletedKey, DeliveryExport, DeliveryState, EndpointExport, MessageExport,
        PendingState, Progress,
    },
};

/// Name of the fact with the progress of a copy into the database.
pub(super) const PROGRESS: &str = "copy";

const BEGIN: &str = "INSERT INTO installation (name, value) VALUES ('copy', $1)
    ON CONFLICT DO NOTHING";

const ADVANCE: &str = "UPDATE installation SET value = $1 WHERE name = 'copy' AND value = $2";

const END: &str = "DELETE FROM installation WHERE name = 'copy'";

/// No node runs before the copy is complete, so all lanes are created at its end. Deliveries from an
/// embedded store do not say that they need an owner, so their endpoints decide. Of the deliveries in
/// order the first one decides when a lane is due, as in [`lane::refresh`]: the others wait for it.
const LANES: &str = "INSERT INTO lane (application, endpoint, due_at, turn, position)
    SELECT q.application, q.endpoint, least(q.free_at, head.free_at),
        greatest(q.turn, owned.turn), q.position
    FROM (
        SELECT application, endpoint, min(free_at) FILTER (WHERE position IS NULL) AS free_at,
            max(turn) AS turn, coalesce(max(position), 0) AS position
        FROM queue
        GROUP BY application, endpoint
    ) q
    LEFT JOIN LATERAL (
        SELECT free_at
        FROM queue
        WHERE application = q.application AND endpoint = q.endpoint AND position IS NOT NULL
        ORDER BY position
        LIMIT 1
    ) head ON true
    LEFT JOIN LATERAL (
        SELECT 1::smallint AS turn
        FROM endpoint
        WHERE application = q.application AND id = q.endpoint AND (
            record::jsonb ->> 'strict_rate' = 'true' OR record::jsonb ->> 'ordering' = 'Fifo'
                OR record::jsonb ->> 'kind' = 'polling'
        )
        LIMIT 1
    ) owned ON true";

/// Disabled and paused endpoints have paused lanes.
const PAUSED_LANES: &str = "INSERT INTO lane (application, endpoint, paused)
    SELECT application, id, true FROM endpoint
    WHERE record::jsonb ->> 'disabled' = 'true' OR record::jsonb ->> 'paused' = 'true'
    ON CONFLICT (application, endpoint) DO UPDATE SET paused = true";

/// Stores the progress in the same transaction. Until then it must be `before`: otherwise another
/// copy is running.
pub(super) async fn note(
    session: &mut Session,
    before: Option<&Progress>,
    after: &Progress,
) -> Result<(), DatabaseError> {
    let after = after.to_bytes();
    let noted = match before.map(Progress::to_bytes) {
        None => session.execute(BEGIN, &[&after]).await?,
        Some(before) => session.execute(ADVANCE, &[&after, &before]).await?,
    };
    if noted == 1 {
        return Ok(());
    }
    Err(DatabaseError::unavailable("another copy into this database is running"))
}

pub(super) async fn finish(session: &mut Session) -> Result<(), DatabaseError> {
    session.execute(LANES, &[]).await?;
    session.execute(PAUSED_LANES, &[]).await?;
    session.execute(END, &[]).await?;
    session.run("ANALYZE").await
}

pub(super) async fn import(session: &mut Session, chunk: &Chunk) -> Result<(), DatabaseError> {
    match chunk {
        Chunk::Applications(items) => applications(session, items).await,
        Chunk::Endpoints(items) => endpoints(session, items).await,
        Chunk::EventTypes(items) => event_types(session, items).await,
        Chunk::Sources(items) => sources(session, items).await,
        Chunk::Connectors(items) => connectors(session, items).await,
        Chunk::Consumers(items) => consumers(session, items).await,
        Chunk::Partitions(items) => partitions(session, items).await,
        Chunk::DeadLetters(items) => dead_letters(session, items).await,
        Chunk::ApiKeys(items) => api_keys(session, items).await,
        Chunk::TokenPolicies(items) => token_policies(session, items).await,
        Chunk::AuditLog(items) => audit_log(session, items).await,
        Chunk::Tasks(items) => tasks(session, items).await,
        Chunk::Messages(exports) => {
            messages(session, exports).await?;
            keys(session, exports).await?;
            ended(session, exports).await?;
            queued(session, exports).await?;
            attempts(session, exports).await
        },
        Chunk::PollLogs(items) => polling::import_logs(session, items).await,
        Chunk::PollEntries(items) => polling::import_entries(session, items).await,
        Chunk::Recoveries(items) => recoveries(session, items).await,
        Chunk::CompletedKeys(items) => completed_keys(session, items).await,
    }
}

async fn applications(session: &mut Session, items: &[Application]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY application (id, organization, uid, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let (id, uid) = (Uuid::from(it.id), it.uid.as_ref().map(Uid::as_str));
        rows.push(&[&id, &it.organization.as_str(), &uid, &json(it)])?;
    }
    rows.send(session).await
}

async fn endpoints(session: &mut Session, items: &[EndpointExport]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY endpoint (application, id, uid, record, failing_since)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for EndpointExport { endpoint: it, failing_since } in items {
        let (application, id) = (Uuid::from(it.application), Uuid::from(it.id));
        let uid = it.uid.as_ref().map(Uid::as_str);
        rows.push(&[&application, &id, &uid, &json(it), &failing_since.map(millis)])?;
    }
    rows.send(session).await
}

async fn event_types(session: &mut Session, items: &[EventType]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY event_type (organization, name, archived, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[&it.organization.as_str(), &it.name.as_str(), &it.archived, &json(it)])?;
    }
    rows.send(session).await
}

async fn sources(session: &mut Session, items: &[Source]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY source (id, organization, application, uid, token_digest, record)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[
            &Uuid::from(it.id),
            &it.organization.as_str(),
            &Uuid::from(it.application),
            &it.uid.as_ref().map(Uid::as_str),
            &it.token_digest.as_slice(),
            &json(it),
        ])?;
    }
    rows.send(session).await
}

async fn connectors(session: &mut Session, items: &[Connector]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY connector (id, organization, uid, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let (id, uid) = (Uuid(it.id.as_u128()), it.uid.as_ref().map(Uid::as_str));
        rows.push(&[&id, &it.organization.as_str(), &uid, &json(it)])?;
    }
    rows.send(session).await
}

async fn consumers(session: &mut Session, items: &[Consumer]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY consumer (id, organization, uid, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let (id, uid) = (Uuid::from(it.id), it.uid.as_ref().map(Uid::as_str));
        rows.push(&[&id, &it.organization.as_str(), &uid, &json(it)])?;
    }
    rows.send(session).await
}

async fn partitions(session: &mut Session, items: &[Partitions]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY consumer_partitions (consumer, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[&Uuid::from(it.consumer), &json(it)])?;
    }
    rows.send(session).await
}

async fn dead_letters(session: &mut Session, items: &[DeadLetter]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY dead_letter (id, consumer, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[&Uuid(it.id.as_u128()), &Uuid::from(it.consumer), &json(it)])?;
    }
    rows.send(session).await
}

async fn api_keys(session: &mut Session, items: &[ApiKey]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY api_key (id, organization, digest, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let id = Uuid::from(it.id);
        rows.push(&[&id, &it.organization.as_str(), &it.digest.as_slice(), &json(it)])?;
    }
    rows.send(session).await
}

async fn token_policies(session: &mut Session, items: &[TokenPolicy]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY token_policy (organization, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[&it.organization.as_str(), &json(it)])?;
    }
    rows.send(session).await
}

async fn audit_log(session: &mut Session, items: &[AuditEntry]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY audit_log (id, organization, record_id, principal, operation, entry)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        rows.push(&[
            &Uuid::from(it.id),
            &it.organization.as_str(),
            &it.record.id,
            &it.actor.id,
            &it.operation,
            &json(it),
        ])?;
    }
    rows.send(session).await
}

async fn tasks(session: &mut Session, items: &[Task]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY task (id, organization, ended, record) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let (id, organization) = (Uuid::from(it.id), it.organization.as_str());
        rows.push(&[&id, &organization, &it.has_ended(), &json(it)])?;
    }
    rows.send(session).await
}

async fn messages(session: &mut Session, exports: &[MessageExport]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY message
        (application, id, event_type, event_id, targets, details, body, body_until)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for MessageExport { message, deliveries, .. } in exports {
        let targets: Vec<_> =
            deliveries.iter().map(|delivery| Uuid::from(delivery.endpoint)).collect();
        rows.push(&[
            &Uuid::from(message.application),
            &Uuid::from(message.id),
            &message.event_type.as_str(),
            &message.event_id.as_ref().map(Uid::as_str),
            &targets,
            &row::message_details(message),
            &message.body.as_deref(),
            &millis(message.body_until),
        ])?;
    }
    rows.send(session).await
}

/// Event ids and digests.
async fn keys(session: &mut Session, exports: &[MessageExport]) -> Result<(), DatabaseError> {
    const EVENT_IDS: &str = "COPY event_id (application, event_id, message) FROM STDIN BINARY";
    const DIGESTS: &str = "COPY idempotency (application, digest, message) FROM STDIN BINARY";
    let mut event_ids = Rows::new(EVENT_IDS);
    let mut digests = Rows::new(DIGESTS);
    for MessageExport { message, idempotency, .. } in exports {
        let (application, id) = (Uuid::from(message.application), Uuid::from(message.id));
        if let Some(event_id) = &message.event_id {
            event_ids.push(&[&application, &event_id.as_str(), &id])?;
        }
        if let Some(digest) = idempotency {
            digests.push(&[&application, &digest.as_slice(), &id])?;
        }
    }
    event_ids.send(session).await?;
    digests.send(session).await
}

/// The deliveries with their messages.
fn deliveries(
    exports: &[MessageExport],
) -> impl Iterator<Item = (&MessageExport, &DeliveryExport)> {
    exports
        .iter()
        .flat_map(|export| export.deliveries.iter().map(move |delivery| (export, delivery)))
}

async fn ended(session: &mut Session, exports: &[MessageExport]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY delivery (application, endpoint, message, state, attempts)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for (MessageExport { message, .. }, delivery) in deliveries(exports) {
        let state: i16 = match delivery.state {
            DeliveryState::Delivered => 1,
            DeliveryState::Failed => 2,
            DeliveryState::Cancelled => 3,
            DeliveryState::Pending(_) => continue,
        };
        let (application, endpoint) =
            (Uuid::from(message.application), Uuid::from(delivery.endpoint));
        let made = attempts_made(message.id, delivery);
        rows.push(&[&application, &endpoint, &Uuid::from(message.id), &state, &made])?;
    }
    rows.send(session).await
}

async fn queued(session: &mut Session, exports: &[MessageExport]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY queue (application, endpoint, message, attempt, manual, reported,
            due_at, free_at, turn, position, attempts, resume_at)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for (MessageExport { message, .. }, delivery) in deliveries(exports) {
        let DeliveryState::Pending(waiting) = delivery.state else { continue };
        let due_at = millis(waiting.due_at);
        rows.push(&[
            &Uuid::from(message.application),
            &Uuid::from(delivery.endpoint),
            &Uuid::from(message.id),
            &row::to_smallint(waiting.attempt),
            &(waiting.trigger == Trigger::Manual),
            &waiting.reported,
            &due_at,
            &due_at,
            &lane::to_smallint(waiting.order),
            &position(message.id, waiting),
            &attempts_made(message.id, delivery),
            &row::resume_at(waiting.retry_plan),
        ])?;
    }
    rows.send(session).await
}

/// The position in the order. Where the source assigned none, messages are in order of their
/// sequence.
fn position(message: MessageId, waiting: PendingState) -> Option<i64> {
    match waiting.order {
        DeliveryOrder::InOrder => {
            waiting.position.or_else(|| i64::try_from(message.sequence()).ok())
        },
        DeliveryOrder::Any | DeliveryOrder::Owned => None,
    }
}

/// Ids of the attempts. Attempts that were not kept get an id without a row, so that they still
/// count.
fn attempts_made(message: MessageId, delivery: &DeliveryExport) -> Vec<Uuid> {
    let lost = usize::from(delivery.made).saturating_sub(delivery.attempts.len());
    let missing = AttemptId::from_parts(message.sequence(), 0);
    let kept = delivery.attempts.iter().map(|it| it.id);
    std::iter::repeat_n(missing, lost).chain(kept).map(Uuid::from).collect()
}

async fn attempts(session: &mut Session, exports: &[MessageExport]) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY attempt
        (application, endpoint, id, message, number, manual, status, details, response)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for (MessageExport { message, .. }, delivery) in deliveries(exports) {
        for attempt in &delivery.attempts {
            rows.push(&[
                &Uuid::from(message.application),
                &Uuid::from(delivery.endpoint),
                &Uuid::from(attempt.id),
                &Uuid::from(message.id),
                &row::to_smallint(attempt.number),
                &(attempt.trigger == Trigger::Manual),
                &row::status(attempt.outcome),
                &row::attempt_details(attempt),
                &row::response(attempt),
            ])?;
        }
    }
    rows.send(session).await
}

async fn recoveries(
    session: &mut Session,
    items: &[(Recovery, MessageId)],
) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY recovery (application, id, record, reached) FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for (it, reached) in items {
        let (application, id) = (Uuid::from(it.application), Uuid::from(it.id));
        rows.push(&[&application, &id, &json(it), &Uuid::from(*reached)])?;
    }
    rows.send(session).await
}

async fn completed_keys(
    session: &mut Session,
    items: &[CompletedKey],
) -> Result<(), DatabaseError> {
    const SQL: &str = "COPY reservation
        (digest, fingerprint, holder, until, answer, answered_at)
        FROM STDIN BINARY";
    let mut rows = Rows::new(SQL);
    for it in items {
        let at = millis(it.answered_at);
        let (key, fingerprint) = (it.key.as_slice(), it.fingerprint.as_slice());
        rows.push(&[&key, &fingerprint, &0_i64, &at, &it.response, &at])?;
    }
    rows.send(session).await
}

fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records serialize")
}
