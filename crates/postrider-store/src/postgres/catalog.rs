//! What users configure.

mod saving;

pub(super) use self::saving::{json, put, remove, save};

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId, SourceId};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Source},
    time::Timestamp,
};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    parameter::Param,
    session::Session,
    sources,
    store::{PostgresStore, with_session},
    value::{self, Uuid},
};
use crate::{
    contract::catalog::{Catalog, IdOrUid, Key, Record},
    error::StoreError,
    page::{Scan, ScanPage},
    weight::{self, Weight},
};

#[async_trait]
impl Catalog for PostgresStore {
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        with_session!(self.node.api_session(), |session| save(session, &record, create))
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| remove(session, &key))
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        with_session!(self.node.api_session(), |session| application(session, organization, named))
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        with_session!(self.node.api_session(), |session| application_by_id(session, id))
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        with_session!(self.node.api_session(), |session| applications(session, organization, &scan))
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        with_session!(self.node.api_session(), |session| endpoint(session, application, named))
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        with_session!(self.node.api_session(), |session| endpoints(session, application, &scan))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        with_session!(self.node.api_session(), |session| failing(session, application))
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        with_session!(self.node.api_session(), |session| event_type(session, organization, name))
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        with_session!(self.node.api_session(), |session| event_types(
            session,
            organization,
            archived,
            &scan
        ))
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        with_session!(self.node.api_session(), |session| sources::source(
            session,
            organization,
            named
        ))
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        with_session!(self.node.api_session(), |session| sources::source_by_token(session, &digest))
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        with_session!(self.node.api_session(), |session| sources::sources(
            session,
            organization,
            &scan
        ))
    }
}

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
) -> Result<Option<Application>, DatabaseError> {
    let organization = &organization.as_str();
    match named {
        IdOrUid::Id(id) => one(session, APPLICATION, &[&Uuid::from(*id), organization]).await,
        IdOrUid::Uid(uid) => one(session, APPLICATION_BY_UID, &[&uid.as_str(), organization]).await,
    }
}

pub(super) async fn application_by_id(
    session: &mut Session,
    id: ApplicationId,
) -> Result<Option<Application>, DatabaseError> {
    one(session, APPLICATION_BY_ID, &[&Uuid::from(id)]).await
}

pub(super) async fn applications(
    session: &mut Session,
    organization: &OrganizationId,
    scan: &Scan<ApplicationId>,
) -> Result<ScanPage<Application, ApplicationId>, DatabaseError> {
    let sql = if scan.ascending { APPLICATIONS_UP } else { APPLICATIONS_DOWN };
    Ok(page(
        many(session, sql, &[&organization.as_str(), &edge(scan), &enough(scan.limit)]).await?,
        scan.limit,
        |it: &Application| it.id,
    ))
}

pub(super) async fn endpoint(
    session: &mut Session,
    application: ApplicationId,
    named: &IdOrUid<EndpointId>,
) -> Result<Option<Endpoint>, DatabaseError> {
    let application = Uuid::from(application);
    let application = &application;
    match named {
        IdOrUid::Id(id) => one(session, ENDPOINT, &[&Uuid::from(*id), application]).await,
        IdOrUid::Uid(uid) => one(session, ENDPOINT_BY_UID, &[&uid.as_str(), application]).await,
    }
}

pub(super) async fn endpoints(
    session: &mut Session,
    application: ApplicationId,
    scan: &Scan<EndpointId>,
) -> Result<ScanPage<Endpoint, EndpointId>, DatabaseError> {
    let sql = if scan.ascending { ENDPOINTS_UP } else { ENDPOINTS_DOWN };
    Ok(page(
        many(session, sql, &[&Uuid::from(application), &edge(scan), &enough(scan.limit)]).await?,
        scan.limit,
        |it: &Endpoint| it.id,
    ))
}

pub(super) async fn failing(
    session: &mut Session,
    application: ApplicationId,
) -> Result<Vec<(EndpointId, Timestamp)>, DatabaseError> {
    let values: [Param<'_>; 1] = [&Uuid::from(application)];
    let rows = session.query(FAILING, &values).await?;
    let pair = |row: &Row| (row.get::<_, Uuid>(0).into(), value::timestamp(row.get(1)));
    Ok(rows.iter().map(pair).collect())
}

pub(super) async fn event_type(
    session: &mut Session,
    organization: &OrganizationId,
    name: &EventTypeName,
) -> Result<Option<EventType>, DatabaseError> {
    one(session, EVENT_TYPE, &[&organization.as_str(), &name.as_str()]).await
}

pub(super) async fn event_types(
    session: &mut Session,
    organization: &OrganizationId,
    archived: bool,
    scan: &Scan<EventTypeName>,
) -> Result<ScanPage<EventType, EventTypeName>, DatabaseError> {
    let first = if scan.ascending { "" } else { BEHIND_NAMES };
    let from = scan.after.as_ref().map_or(first, EventTypeName::as_str);
    let sql = if scan.ascending { EVENT_TYPES_UP } else { EVENT_TYPES_DOWN };
    Ok(page(
        many(session, sql, &[&organization.as_str(), &from, &enough(scan.limit), &archived])
            .await?,
        scan.limit,
        |it: &EventType| it.name.clone(),
    ))
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
) -> Result<Option<T>, DatabaseError> {
    session.query_opt(sql, values).await?.as_ref().map(record).transpose()
}

pub(super) async fn many<T: DeserializeOwned>(
    session: &mut Session,
    sql: &'static str,
    values: &[Param<'_>],
) -> Result<Vec<T>, DatabaseError> {
    session.query(sql, values).await?.iter().map(record).collect()
}

fn record<T: DeserializeOwned>(row: &Row) -> Result<T, DatabaseError> {
    serde_json::from_str(row.get(0)).map_err(|error| DatabaseError::corrupt("record", error))
}
