//! Changes of what users configure; the other nodes hear of them when they are committed.

use postrider::{ApplicationId, EndpointId, Uid};
use postrider_core::catalog::{Application, Endpoint, EventType};
use serde::Serialize;

use crate::{
    contract::{
        catalog::{Key, Record},
        deliveries::Scope,
    },
    postgres::{
        deliveries::cancel,
        error::{DatabaseError, UniqueIndex},
        notify,
        parameter::Param,
        session::Session,
        sources,
        value::Uuid,
    },
};

const CREATE_APPLICATION: &str = "INSERT INTO application (id, organization, uid, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING";

const SAVE_APPLICATION: &str = "INSERT INTO application (id, organization, uid, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE
    SET organization = excluded.organization, uid = excluded.uid, record = excluded.record";

const CREATE_ENDPOINT: &str = "INSERT INTO endpoint (application, id, uid, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (application, id) DO NOTHING";

const SAVE_ENDPOINT: &str = "INSERT INTO endpoint (application, id, uid, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (application, id) DO UPDATE
    SET uid = excluded.uid, record = excluded.record";

/// A disabled endpoint is not failing.
const FORGET_FAILING: &str = "UPDATE endpoint
    SET failing_since = NULL
    WHERE application = $1 AND id = $2 AND failing_since IS NOT NULL";

/// A disabled endpoint always has a lane, so that nothing can make one that is not paused.
const PAUSE: &str = "INSERT INTO lane (application, endpoint, paused)
    VALUES ($1, $2, true)
    ON CONFLICT (application, endpoint) DO UPDATE SET paused = true";

const CONTINUE: &str = "UPDATE lane SET paused = false
    WHERE application = $1 AND endpoint = $2 AND paused";

/// In the order of the keys, as lanes are always locked.
const CONTINUE_ALL: &str = "UPDATE lane SET paused = false
    FROM (
        SELECT application, endpoint FROM lane
        WHERE application = $1 AND paused
        ORDER BY application, endpoint FOR UPDATE
    ) AS found
    WHERE lane.application = found.application AND lane.endpoint = found.endpoint";

const CREATE_EVENT_TYPE: &str = "INSERT INTO event_type (organization, name, archived, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (organization, name) DO NOTHING";

const SAVE_EVENT_TYPE: &str = "INSERT INTO event_type (organization, name, archived, record)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (organization, name) DO UPDATE
    SET archived = excluded.archived, record = excluded.record";

/// What is left is erased afterwards.
const BEGIN_ERASURE: &str = "
INSERT INTO erasure (application, due_at) VALUES ($1, 0)
ON CONFLICT (application) DO UPDATE SET due_at = 0";

const REMOVE_APPLICATION: &str = "DELETE FROM application WHERE id = $1";

const REMOVE_ENDPOINTS: &str = "DELETE FROM endpoint WHERE application = $1";

const REMOVE_ENDPOINT: &str = "DELETE FROM endpoint WHERE application = $1 AND id = $2";

const REMOVE_EVENT_TYPE: &str = "DELETE FROM event_type WHERE organization = $1 AND name = $2";

pub(in crate::postgres) async fn save(
    session: &mut Session,
    record: &Record,
    create: bool,
) -> Result<(), DatabaseError> {
    session.begin().await?;
    let saved = match record {
        Record::Application(application) => save_application(session, application, create).await,
        Record::Endpoint(endpoint) => save_endpoint(session, endpoint, create).await,
        Record::EventType(event_type) => save_event_type(session, event_type, create).await,
        Record::Source(source) => sources::save(session, source, create).await,
    };
    match saved {
        Ok(()) => session.commit().await,
        Err(error @ DatabaseError::Conflict { .. }) => {
            session.rollback().await?;
            Err(error)
        },
        Err(error) => Err(error),
    }
}

async fn save_application(
    session: &mut Session,
    it: &Application,
    create: bool,
) -> Result<(), DatabaseError> {
    let values: [Param<'_>; 4] = [
        &Uuid::from(it.id),
        &it.organization.as_str(),
        &it.uid.as_ref().map(Uid::as_str),
        &json(it)?,
    ];
    let sql = if create { CREATE_APPLICATION } else { SAVE_APPLICATION };
    put(session, "application", sql, &values).await?;
    notify::changed(session, it.id).await
}

async fn save_endpoint(
    session: &mut Session,
    it: &Endpoint,
    create: bool,
) -> Result<(), DatabaseError> {
    let key: [Param<'_>; 2] = [&Uuid::from(it.application), &Uuid::from(it.id)];
    let [application, id] = key.clone();
    let values = [application, id, &it.uid.as_ref().map(Uid::as_str), &json(it)?];
    let sql = if create { CREATE_ENDPOINT } else { SAVE_ENDPOINT };
    put(session, "endpoint", sql, &values).await?;
    if it.disabled {
        session.execute(FORGET_FAILING, &key).await?;
        session.execute(PAUSE, &key).await?;
    } else if !create && session.execute(CONTINUE, &key).await? > 0 {
        notify::due(session).await?;
    }
    notify::changed(session, it.application).await
}

async fn save_event_type(
    session: &mut Session,
    it: &EventType,
    create: bool,
) -> Result<(), DatabaseError> {
    let values: [Param<'_>; 4] =
        [&it.organization.as_str(), &it.name.as_str(), &it.archived, &json(it)?];
    let sql = if create { CREATE_EVENT_TYPE } else { SAVE_EVENT_TYPE };
    put(session, "event type", sql, &values).await
}

/// Writes a record. One that was only to be created and exists leaves no trace; the only other
/// things that can be taken are the uid and the token.
pub(in crate::postgres) async fn put(
    session: &mut Session,
    what: &'static str,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<(), DatabaseError> {
    match session.execute(sql, values).await {
        Ok(0) => Err(DatabaseError::Conflict { what }),
        Ok(_) => Ok(()),
        Err(DatabaseError::UniqueViolation { index: UniqueIndex::Uid, .. }) => {
            Err(DatabaseError::Conflict { what: "uid" })
        },
        Err(DatabaseError::UniqueViolation { index: UniqueIndex::SourceToken, .. }) => {
            Err(DatabaseError::Conflict { what: "token" })
        },
        Err(error) => Err(error),
    }
}

pub(in crate::postgres) fn json(record: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(record).map_err(|error| DatabaseError::corrupt("record", error))
}

pub(in crate::postgres) async fn remove(
    session: &mut Session,
    key: &Key,
) -> Result<bool, DatabaseError> {
    match key {
        Key::Application(id) => remove_application(session, *id).await,
        Key::Endpoint(application, id) => remove_endpoint(session, *application, *id).await,
        Key::Source(organization, id) => sources::remove(session, organization, *id).await,
        Key::EventType(organization, name) => Ok(session
            .execute(REMOVE_EVENT_TYPE, &[&organization.as_str(), &name.as_str()])
            .await?
            > 0),
    }
}

/// What is appended meanwhile by somebody who still knows the application is cancelled by the
/// claim that finds it, and so is what is left if this ends half way.
async fn remove_application(
    session: &mut Session,
    id: ApplicationId,
) -> Result<bool, DatabaseError> {
    cancel::cancel(session, Scope::Application(id)).await?;
    let values: [Param<'_>; 1] = [&Uuid::from(id)];
    session.begin().await?;
    session.execute(REMOVE_ENDPOINTS, &values).await?;
    session.execute(CONTINUE_ALL, &values).await?;
    sources::remove_of(session, &values).await?;
    session.execute(BEGIN_ERASURE, &values).await?;
    let removed = session.execute(REMOVE_APPLICATION, &values).await?;
    notify::changed(session, id).await?;
    session.commit().await?;
    Ok(removed > 0)
}

async fn remove_endpoint(
    session: &mut Session,
    application: ApplicationId,
    id: EndpointId,
) -> Result<bool, DatabaseError> {
    cancel::cancel(session, Scope::Endpoint(application, id)).await?;
    let values: [Param<'_>; 2] = [&Uuid::from(application), &Uuid::from(id)];
    session.begin().await?;
    let removed = session.execute(REMOVE_ENDPOINT, &values).await?;
    session.execute(CONTINUE, &values).await?;
    notify::changed(session, application).await?;
    session.commit().await?;
    Ok(removed > 0)
}
