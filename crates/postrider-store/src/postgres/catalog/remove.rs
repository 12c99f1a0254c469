//! Removing records, with what belongs to them.

use postrider::{ApplicationId, EndpointId};

use super::{key::Key, save::CONTINUE};
use crate::{
    contract::{
        catalog::{Parent, RecordId, RecordKind},
        deliveries::Scope,
    },
    postgres::{
        deliveries::cancel::cancel_step, error::DatabaseError, notify, parameter::Param, polling,
        session::Session, value::Uuid,
    },
};

/// Locks the lanes in the order of their keys, as every transaction does.
const CONTINUE_ALL: &str = "UPDATE lane SET paused = false
    FROM (
        SELECT application, endpoint FROM lane
        WHERE application = $1 AND paused
        ORDER BY application, endpoint FOR UPDATE
    ) AS found
    WHERE lane.application = found.application AND lane.endpoint = found.endpoint";

/// [`Maintenance::erase`](crate::Maintenance::erase) removes the rest.
const BEGIN_ERASURE: &str = "
INSERT INTO erasure (application, due_at) VALUES ($1, 0)
ON CONFLICT (application) DO UPDATE SET due_at = 0";

const REMOVE_APPLICATION: &str = "DELETE FROM application WHERE id = $1";

const REMOVE_ENDPOINTS: &str = "DELETE FROM endpoint WHERE application = $1";

const REMOVE_ENDPOINT: &str = "DELETE FROM endpoint WHERE application = $1 AND id = $2";

const REMOVE_EVENT_TYPE: &str = "DELETE FROM event_type WHERE organization = $1 AND name = $2";

const REMOVE_SOURCE: &str = "DELETE FROM source
    WHERE organization = $1 AND id = $2
    RETURNING application";

const REMOVE_CONSUMER: &str = "DELETE FROM consumer WHERE organization = $1 AND id = $2";

const REMOVE_PARTITIONS: &str = "DELETE FROM consumer_partitions WHERE consumer = $1";

const REMOVE_DEAD_LETTERS: &str = "DELETE FROM dead_letter WHERE consumer = $1";

const REMOVE_DEAD_LETTER: &str = "DELETE FROM dead_letter WHERE consumer = $1 AND id = $2";

const REMOVE_API_KEY: &str = "DELETE FROM api_key WHERE organization = $1 AND id = $2";

const REMOVE_API_KEY_USE: &str = "DELETE FROM api_key_use WHERE organization = $1 AND id = $2";

const REMOVE_TOKEN_POLICY: &str = "DELETE FROM token_policy WHERE organization = $1";
const REMOVE_CONNECTOR: &str = "DELETE FROM connector WHERE organization = $1 AND id = $2";

const REMOVE_SCHEMA_REPORT: &str = "DELETE FROM schema_report
    WHERE organization = $1 AND name = $2";

const REMOVE_TASK: &str = "DELETE FROM task WHERE organization = $1 AND id = $2";

pub(in crate::postgres) const REMOVE_SOURCES: &str = "DELETE FROM source WHERE application = $1";

pub(in crate::postgres) const REMOVE_REJECTIONS: &str = "DELETE FROM rejection WHERE source = $1";

pub(in crate::postgres) const REMOVE_REJECTIONS_OF: &str = "DELETE FROM rejection
    WHERE source = ANY (ARRAY(SELECT id FROM source WHERE application = $1))";

/// Removes a record, and cancels a bounded number of its deliveries. The caller cancels the others.
pub(in crate::postgres) async fn remove(
    session: &mut Session,
    kind: RecordKind,
    parent: &Parent,
    id: &RecordId,
) -> Result<bool, DatabaseError> {
    let keys = (Key::from(parent), Key::from(id));
    let key = [keys.0.param(), keys.1.param()];
    match (kind, parent, id) {
        (RecordKind::Application, _, RecordId::Uuid(id)) => {
            remove_application(session, ApplicationId::from_u128(*id), &key[1..]).await
        },
        (RecordKind::Endpoint, Parent::Application(application), RecordId::Uuid(id)) => {
            remove_endpoint(session, *application, EndpointId::from_u128(*id), &key).await
        },
        (RecordKind::Source, ..) => remove_source(session, &key).await,
        (RecordKind::EventType, Parent::Organization(organization), _) => {
            session.begin().await?;
            let removed = session.execute(REMOVE_EVENT_TYPE, &key).await?;
            session.execute(REMOVE_SCHEMA_REPORT, &key).await?;
            notify::event_types_changed(session, organization).await?;
            session.commit().await?;
            Ok(removed > 0)
        },
        (RecordKind::Consumer, ..) => remove_consumer(session, &key).await,
        (RecordKind::DeadLetter, ..) => Ok(session.execute(REMOVE_DEAD_LETTER, &key).await? > 0),
        (RecordKind::Partitions, ..) => {
            Ok(session.execute(REMOVE_PARTITIONS, &key[..1]).await? > 0)
        },
        (RecordKind::ApiKey, ..) => remove_api_key(session, &key).await,
        (RecordKind::ApiKeyUse, ..) => Ok(session.execute(REMOVE_API_KEY_USE, &key).await? > 0),
        (RecordKind::TokenPolicy, ..) => {
            session.begin().await?;
            let removed = session.execute(REMOVE_TOKEN_POLICY, &key[..1]).await?;
            notify::access_changed(session).await?;
            session.commit().await?;
            Ok(removed > 0)
        },
        (RecordKind::Task, ..) => Ok(session.execute(REMOVE_TASK, &key).await? > 0),
        (RecordKind::Connector, ..) => Ok(session.execute(REMOVE_CONNECTOR, &key).await? > 0),
        (RecordKind::SchemaReport, ..) => {
            Ok(session.execute(REMOVE_SCHEMA_REPORT, &key).await? > 0)
        },
        // No record has such a parent or id.
        (RecordKind::Application | RecordKind::Endpoint | RecordKind::EventType, ..) => Ok(false),
    }
}

/// A node that still knows the application may append to it meanwhile, and this may stop half way.
/// A claim that finds such a delivery cancels it.
async fn remove_application(
    session: &mut Session,
    id: ApplicationId,
    key: &[Param<'_>],
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    cancel_step(session, Scope::Application(id)).await?;
    session.execute(REMOVE_ENDPOINTS, key).await?;
    session.execute(CONTINUE_ALL, key).await?;
    session.execute(REMOVE_REJECTIONS_OF, key).await?;
    session.execute(REMOVE_SOURCES, key).await?;
    polling::remove_logs_of(session, key[0]).await?;
    session.execute(BEGIN_ERASURE, key).await?;
    let removed = session.execute(REMOVE_APPLICATION, key).await?;
    notify::changed(session, id).await?;
    session.commit().await?;
    Ok(removed > 0)
}

async fn remove_endpoint(
    session: &mut Session,
    application: ApplicationId,
    id: EndpointId,
    key: &[Param<'_>],
) -> Result<bool, DatabaseError> {
    session.begin().await?;
    cancel_step(session, Scope::Endpoint(application, id)).await?;
    let removed = session.execute(REMOVE_ENDPOINT, key).await?;
    polling::remove_log(session, key[1]).await?;
    session.execute(CONTINUE, key).await?;
    notify::changed(session, application).await?;
    session.commit().await?;
    Ok(removed > 0)
}

async fn remove_source(session: &mut Session, key: &[Param<'_>]) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let removed = session.query_opt(REMOVE_SOURCE, key).await?;
    if let Some(row) = &removed {
        session.execute(REMOVE_REJECTIONS, &key[1..]).await?;
        notify::changed(session, row.get::<_, Uuid>(0).into()).await?;
    }
    session.commit().await?;
    Ok(removed.is_some())
}

async fn remove_api_key(session: &mut Session, key: &[Param<'_>]) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let is_removed = session.execute(REMOVE_API_KEY, key).await? > 0;
    session.execute(REMOVE_API_KEY_USE, key).await?;
    notify::access_changed(session).await?;
    session.commit().await?;
    Ok(is_removed)
}

async fn remove_consumer(session: &mut Session, key: &[Param<'_>]) -> Result<bool, DatabaseError> {
    session.begin().await?;
    let is_removed = session.execute(REMOVE_CONSUMER, key).await? > 0;
    if is_removed {
        session.execute(REMOVE_PARTITIONS, &key[1..]).await?;
        session.execute(REMOVE_DEAD_LETTERS, &key[1..]).await?;
    }
    session.commit().await?;
    Ok(is_removed)
}
