//! Reading the catalog.

use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId};
use postrider_core::{
    catalog::{Application, Endpoint, EventType},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::de::DeserializeOwned;

use super::{
    error,
    row::{self, blob},
};
use crate::{
    contract::catalog::IdOrUid,
    page::{Scan, ScanPage},
    weight::{self, Weight},
};

const APPLICATION: &str = "SELECT record FROM applications WHERE id = ?1 AND organization = ?2";

const APPLICATION_BY_UID: &str =
    "SELECT record FROM applications WHERE uid = ?1 AND organization = ?2";

const APPLICATION_BY_ID: &str = "SELECT record FROM applications WHERE id = ?1";

const APPLICATIONS_UP: &str = "SELECT record
    FROM applications
    WHERE organization = ?1 AND id > ?2
    ORDER BY id
    LIMIT ?3";

const APPLICATIONS_DOWN: &str = "SELECT record
    FROM applications
    WHERE organization = ?1 AND id < ?2
    ORDER BY id DESC
    LIMIT ?3";

const ENDPOINT: &str = "SELECT record FROM endpoints WHERE id = ?1 AND application = ?2";

const ENDPOINT_BY_UID: &str = "SELECT record FROM endpoints WHERE uid = ?1 AND application = ?2";

const ENDPOINTS_UP: &str = "SELECT record
    FROM endpoints
    WHERE application = ?1 AND id > ?2
    ORDER BY id
    LIMIT ?3";

const ENDPOINTS_DOWN: &str = "SELECT record
    FROM endpoints
    WHERE application = ?1 AND id < ?2
    ORDER BY id DESC
    LIMIT ?3";

const FAILING: &str = "SELECT id, failing_since
    FROM endpoints
    WHERE application = ?1 AND failing_since IS NOT NULL
    ORDER BY id";

const EVENT_TYPE: &str = "SELECT record FROM event_types WHERE organization = ?1 AND name = ?2";

const EVENT_TYPES_UP: &str = "SELECT record
    FROM event_types
    WHERE organization = ?1 AND name > ?2 AND archived <= ?4
    ORDER BY name
    LIMIT ?3";

const EVENT_TYPES_DOWN: &str = "SELECT record
    FROM event_types
    WHERE organization = ?1 AND name < ?2 AND archived <= ?4
    ORDER BY name DESC
    LIMIT ?3";

/// Sorts behind every name, whose characters are below it.
const BEHIND_NAMES: &str = "~";

pub(super) fn application(
    db: &Connection,
    organization: &OrganizationId,
    named: &IdOrUid<ApplicationId>,
) -> rusqlite::Result<Option<Application>> {
    let organization = organization.as_str();
    match named {
        IdOrUid::Id(id) => one(db, APPLICATION, params![blob(id.as_u128()), organization]),
        IdOrUid::Uid(uid) => one(db, APPLICATION_BY_UID, params![uid.as_str(), organization]),
    }
}

pub(super) fn application_by_id(
    db: &Connection,
    id: ApplicationId,
) -> rusqlite::Result<Option<Application>> {
    one(db, APPLICATION_BY_ID, [blob(id.as_u128())])
}

pub(super) fn applications(
    db: &Connection,
    organization: &OrganizationId,
    scan: &Scan<ApplicationId>,
) -> rusqlite::Result<ScanPage<Application, ApplicationId>> {
    let from = edge(scan, ApplicationId::as_u128);
    let sql = if scan.ascending { APPLICATIONS_UP } else { APPLICATIONS_DOWN };
    let values = params![organization.as_str(), from, scan.limit + 1];
    Ok(page(many(db, sql, values)?, scan.limit, |it: &Application| it.id))
}

pub(super) fn endpoint(
    db: &Connection,
    application: ApplicationId,
    named: &IdOrUid<EndpointId>,
) -> rusqlite::Result<Option<Endpoint>> {
    let application = blob(application.as_u128());
    match named {
        IdOrUid::Id(id) => one(db, ENDPOINT, params![blob(id.as_u128()), application]),
        IdOrUid::Uid(uid) => one(db, ENDPOINT_BY_UID, params![uid.as_str(), application]),
    }
}

pub(super) fn endpoints(
    db: &Connection,
    application: ApplicationId,
    scan: &Scan<EndpointId>,
) -> rusqlite::Result<ScanPage<Endpoint, EndpointId>> {
    let from = edge(scan, EndpointId::as_u128);
    let sql = if scan.ascending { ENDPOINTS_UP } else { ENDPOINTS_DOWN };
    let values = params![blob(application.as_u128()), from, scan.limit + 1];
    Ok(page(many(db, sql, values)?, scan.limit, |it: &Endpoint| it.id))
}

pub(super) fn failing(
    db: &Connection,
    application: ApplicationId,
) -> rusqlite::Result<Vec<(EndpointId, Timestamp)>> {
    let mut statement = db.prepare_cached(FAILING)?;
    let found = statement.query_map([blob(application.as_u128())], |it| {
        Ok((EndpointId::from_u128(row::id(it, 0)?), Timestamp::from_millis(it.get(1)?)))
    })?;
    found.collect()
}

pub(super) fn event_type(
    db: &Connection,
    organization: &OrganizationId,
    name: &EventTypeName,
) -> rusqlite::Result<Option<EventType>> {
    one(db, EVENT_TYPE, [organization.as_str(), name.as_str()])
}

pub(super) fn event_types(
    db: &Connection,
    organization: &OrganizationId,
    archived: bool,
    scan: &Scan<EventTypeName>,
) -> rusqlite::Result<ScanPage<EventType, EventTypeName>> {
    let first = if scan.ascending { "" } else { BEHIND_NAMES };
    let from = scan.after.as_ref().map_or(first, EventTypeName::as_str);
    let sql = if scan.ascending { EVENT_TYPES_UP } else { EVENT_TYPES_DOWN };
    let values = params![organization.as_str(), from, scan.limit + 1, archived];
    Ok(page(many(db, sql, values)?, scan.limit, |it: &EventType| it.name.clone()))
}

/// Where a walk over ids begins.
pub(super) fn edge<K: Copy>(scan: &Scan<K>, raw: impl Fn(K) -> u128) -> Vec<u8> {
    match scan.after {
        Some(after) => blob(raw(after)).to_vec(),
        None if scan.ascending => Vec::new(),
        // Longer than an id, so that it sorts behind every one.
        None => vec![0xff; 17],
    }
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

pub(super) fn one<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    values: impl Params,
) -> rusqlite::Result<Option<T>> {
    db.prepare_cached(sql)?.query_row(values, record).optional()
}

pub(super) fn many<T: DeserializeOwned>(
    db: &Connection,
    sql: &str,
    values: impl Params,
) -> rusqlite::Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(values, record)?.collect()
}

fn record<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(error::undecodable)
}
