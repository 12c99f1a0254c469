//! Finds what is named by an identifier that is unique only within its application or source.

use postrider::{OrganizationId, RejectionId, Uid};
use postrider_core::{
    catalog::Endpoint,
    message::{Message, Rejection},
};
use tokio_postgres::Row;

use crate::{
    contract::{
        catalog::record::decode,
        search::{EndpointKey, MAX_LOOKUPS, prefix_end},
    },
    postgres::{
        error::DatabaseError,
        row,
        session::Session,
        value::{self, Uuid},
    },
    rejected,
};

pub(in crate::postgres) const BY_EVENT_ID: &str = "
SELECT m.application, m.id, m.event_type, m.event_id, m.details, m.body_until, NULL::bytea
FROM (
    SELECT id FROM application WHERE organization = $1 ORDER BY id DESC LIMIT $3
) AS owner
CROSS JOIN LATERAL (
    SELECT message FROM event_id WHERE application = owner.id AND event_id = $2 LIMIT 1
) AS it
CROSS JOIN LATERAL (
    SELECT * FROM message WHERE application = owner.id AND id = it.message LIMIT 1
) AS m
LIMIT $4";

pub(super) async fn messages(
    session: &mut Session,
    organization: &OrganizationId,
    event_id: &Uid,
    limit: usize,
) -> Result<Vec<Message>, DatabaseError> {
    let (all, limit) = (value::to_bigint(MAX_LOOKUPS), value::to_bigint(limit));
    let rows = session
        .query(BY_EVENT_ID, &[&organization.as_str(), &event_id.as_str(), &all, &limit])
        .await?;
    rows.iter().map(row::message).collect()
}

/// The condition about the record is that of the index `endpoint_id`.
pub(in crate::postgres) const ENDPOINT: &str = "
SELECT e.record
FROM endpoint e
WHERE e.id = $1 AND octet_length(e.record) > 0
    AND (SELECT a.organization = $2 FROM application a WHERE a.id = e.application)";

pub(in crate::postgres) const BY_UID: &str = "
SELECT e.record
FROM (
    SELECT id FROM application WHERE organization = $1 ORDER BY id DESC LIMIT $3
) AS owner
CROSS JOIN LATERAL (
    SELECT record FROM endpoint WHERE application = owner.id AND uid = $2 LIMIT 1
) AS e
LIMIT $4";

pub(in crate::postgres) const BY_URL: &str = "
SELECT e.record
FROM endpoint e
WHERE ((e.record::json) ->> 'url') COLLATE \"C\" >= $1
    AND ((e.record::json) ->> 'url') COLLATE \"C\" < $2
    AND (SELECT a.organization = $3 FROM application a WHERE a.id = e.application)
ORDER BY ((e.record::json) ->> 'url') COLLATE \"C\"
LIMIT $4";

pub(super) async fn endpoints(
    session: &mut Session,
    organization: &OrganizationId,
    key: &EndpointKey,
    limit: usize,
) -> Result<Vec<Endpoint>, DatabaseError> {
    let (organization, limit) = (organization.as_str(), value::to_bigint(limit));
    let found = match key {
        EndpointKey::Id(id) => session.query(ENDPOINT, &[&Uuid::from(*id), &organization]).await?,
        EndpointKey::Uid(uid) => {
            let all = value::to_bigint(MAX_LOOKUPS);
            session.query(BY_UID, &[&organization, &uid.as_str(), &all, &limit]).await?
        },
        EndpointKey::UrlPrefix(prefix) => {
            let Some(end) = prefix_end(prefix) else { return Ok(Vec::new()) };
            session.query(BY_URL, &[&prefix.as_str(), &end.as_str(), &organization, &limit]).await?
        },
    };
    let endpoint =
        |row: &Row| decode(row.get(0)).map_err(|error| DatabaseError::corrupt("endpoint", error));
    found.iter().map(endpoint).collect()
}

pub(in crate::postgres) const REJECTION: &str = "
SELECT found.source, found.details
FROM (
    SELECT id FROM source WHERE organization = $1 ORDER BY id DESC LIMIT $3
) AS owner
CROSS JOIN LATERAL (
    SELECT source, details FROM rejection WHERE source = owner.id AND id = $2 LIMIT 1
) AS found
LIMIT 1";

pub(super) async fn rejection(
    session: &mut Session,
    organization: &OrganizationId,
    id: RejectionId,
) -> Result<Option<Rejection>, DatabaseError> {
    let (uuid, all) = (Uuid::from(id), value::to_bigint(MAX_LOOKUPS));
    let found = session.query_opt(REJECTION, &[&organization.as_str(), &uuid, &all]).await?;
    let read = |row: Row| {
        let source = row.get::<_, Uuid>(0).into();
        rejected::decode(id, source, row.get(1))
            .map_err(|error| DatabaseError::corrupt("rejection", error))
    };
    found.map(read).transpose()
}
