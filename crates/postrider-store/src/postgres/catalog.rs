//! What users configure.

mod rewriting;
mod saving;

pub(super) use self::{
    rewriting::rewrite,
    saving::{json, put, remove, save},
};

use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId};
use postrider_core::{
    catalog::{Application, Endpoint, EventType},
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use tokio_postgres::{Row, types::Type};

use super::{
    session::{Param, Session},
    trouble,
    value::{self, Uuid},
};
use crate::{IdOrUid, Scan, ScanPage, StoreError, Weight, weight};

const APPLICATION: &str = "SELECT record FROM application WHERE id = $1 AND organization = $2";

const APPLICATION_BY_UID: &str =
    "SELECT record FROM application WHERE uid = $1 AND organization = $2";

const APPLICATION_BY_ID: &str = "SELECT record FROM application WHERE id = $1";

const APPLICATIONS_UP: &str = "SELECT record
    FROM application
    WHERE organization = $1 AND id > $2
    ORDER BY id
    LIMIT $3";

const APPLICATIONS_DOWN: &str = "SELECT record
    FROM application
    WHERE organization = $1 AND id < $2
    ORDER BY id DESC
    LIMIT $3";

const ENDPOINT: &str = "SELECT record FROM endpoint WHERE id = $1 AND application = $2";

const ENDPOINT_BY_UID: &str = "SELECT record FROM endpoint WHERE uid = $1 AND application = $2";

const ENDPOINTS_UP: &str = "SELECT record
    FROM endpoint
    WHERE application = $1 AND id > $2
    ORDER BY id
    LIMIT $3";

const ENDPOINTS_DOWN: &str = "SELECT record
    FROM endpoint
    WHERE application = $1 AND id < $2
    ORDER BY id DESC
    LIMIT $3";

const FAILING: &str = "SELECT id, failing_since
    FROM endpoint
    WHERE application = $1 AND failing_since IS NOT NULL
    ORDER BY id";

const EVENT_TYPE: &str = "SELECT record FROM event_type WHERE organization = $1 AND name = $2";

const EVENT_TYPES_UP: &str = "SELECT record
    FROM event_type
    WHERE organization = $1 AND name > $2 AND (NOT archived OR $4)
    ORDER BY name
    LIMIT $3";

const EVENT_TYPES_DOWN: &str = "SELECT record
    FROM event_type
    WHERE organization = $1 AND name < $2 AND (NOT archived OR $4)
    ORDER BY name DESC
    LIMIT $3";

/// Sorts behind every name, whose characters are below it.
const BEHIND_NAMES: &str = "~";

pub(super) async fn application(
    session: &mut Session,
    organization: &OrganizationId,
    named: &IdOrUid<ApplicationId>,
) -> Result<Option<Application>, StoreError> {
    let organization = (&organization.as_str() as _, Type::TEXT);
    match named {
        IdOrUid::Id(id) => {
            one(session, APPLICATION, &[(&Uuid::from(*id), Type::UUID), organization]).await
        },
        IdOrUid::Uid(uid) => {
            one(session, APPLICATION_BY_UID, &[(&uid.as_str(), Type::TEXT), organization]).await
        },
    }
}

pub(super) async fn application_by_id(
    session: &mut Session,
    id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    one(session, APPLICATION_BY_ID, &[(&Uuid::from(id), Type::UUID)]).await
}

pub(super) async fn applications(
    session: &mut Session,
    organization: &OrganizationId,
    scan: &Scan<ApplicationId>,
) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
    let sql = if scan.ascending { APPLICATIONS_UP } else { APPLICATIONS_DOWN };
    let values: [Param<'_>; 3] = [
        (&organization.as_str(), Type::TEXT),
        (&edge(scan), Type::UUID),
        (&enough(scan.limit), Type::INT8),
    ];
    Ok(page(many(session, sql, &values).await?, scan.limit, |it: &Application| it.id))
}

pub(super) async fn endpoint(
    session: &mut Session,
    application: ApplicationId,
    named: &IdOrUid<EndpointId>,
) -> Result<Option<Endpoint>, StoreError> {
    let application = Uuid::from(application);
    let application = (&application as _, Type::UUID);
    match named {
        IdOrUid::Id(id) => {
            one(session, ENDPOINT, &[(&Uuid::from(*id), Type::UUID), application]).await
        },
        IdOrUid::Uid(uid) => {
            one(session, ENDPOINT_BY_UID, &[(&uid.as_str(), Type::TEXT), application]).await
        },
    }
}

pub(super) async fn endpoints(
    session: &mut Session,
    application: ApplicationId,
    scan: &Scan<EndpointId>,
) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
    let sql = if scan.ascending { ENDPOINTS_UP } else { ENDPOINTS_DOWN };
    let values: [Param<'_>; 3] = [
        (&Uuid::from(application), Type::UUID),
        (&edge(scan), Type::UUID),
        (&enough(scan.limit), Type::INT8),
    ];
    Ok(page(many(session, sql, &values).await?, scan.limit, |it: &Endpoint| it.id))
}

pub(super) async fn failing(
    session: &mut Session,
    application: ApplicationId,
) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
    let values: [Param<'_>; 1] = [(&Uuid::from(application), Type::UUID)];
    let rows = session.query(FAILING, &values).await?;
    let pair = |row: &Row| (row.get::<_, Uuid>(0).into(), value::timestamp(row.get(1)));
    Ok(rows.iter().map(pair).collect())
}

pub(super) async fn event_type(
    session: &mut Session,
    organization: &OrganizationId,
    name: &EventTypeName,
) -> Result<Option<EventType>, StoreError> {
    let values: [Param<'_>; 2] =
        [(&organization.as_str(), Type::TEXT), (&name.as_str(), Type::TEXT)];
    one(session, EVENT_TYPE, &values).await
}

pub(super) async fn event_types(
    session: &mut Session,
    organization: &OrganizationId,
    archived: bool,
    scan: &Scan<EventTypeName>,
) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
    let first = if scan.ascending { "" } else { BEHIND_NAMES };
    let from = scan.after.as_ref().map_or(first, EventTypeName::as_str);
    let sql = if scan.ascending { EVENT_TYPES_UP } else { EVENT_TYPES_DOWN };
    let values: [Param<'_>; 4] = [
        (&organization.as_str(), Type::TEXT),
        (&from, Type::TEXT),
        (&enough(scan.limit), Type::INT8),
        (&archived, Type::BOOL),
    ];
    Ok(page(many(session, sql, &values).await?, scan.limit, |it: &EventType| it.name.clone()))
}

/// Where a walk over ids begins.
pub(super) fn edge<K: Copy + Into<Uuid>>(scan: &Scan<K>) -> Uuid {
    match scan.after {
        Some(after) => after.into(),
        None if scan.ascending => Uuid(0),
        None => Uuid(u128::MAX),
    }
}

/// One more than the limit tells whether there are more.
pub(super) fn enough(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

pub(super) fn page<T: Weight, K>(
    mut items: Vec<T>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> ScanPage<T, K> {
    let limit = limit.min(weight::fitting(items.iter()));
    let more = items.len() > limit;
    items.truncate(limit);
    let resume = items.last().filter(|_| more).map(key);
    ScanPage { items, resume }
}

pub(super) async fn one<T: DeserializeOwned>(
    session: &mut Session,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<Option<T>, StoreError> {
    session.query_opt(sql, values).await?.as_ref().map(record).transpose()
}

pub(super) async fn many<T: DeserializeOwned>(
    session: &mut Session,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<Vec<T>, StoreError> {
    session.query(sql, values).await?.iter().map(record).collect()
}

fn record<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(row.get(0)).map_err(|error| trouble::corrupt("record", error))
}
