//! Finds what is named by an identifier that is unique only within its application or source.

use postrider::{ApplicationId, OrganizationId, RejectionId, SourceId, Uid};
use postrider_core::{
    catalog::Endpoint,
    message::{Message, Rejection},
};
use rusqlite::{OptionalExtension, Params, params};

use crate::{
    contract::{
        catalog::record::decode,
        search::{EndpointKey, MAX_LOOKUPS, prefix_end},
    },
    embedded::{
        error,
        history::messages::{by_event_id, by_sequence},
        readers::Reader,
        row::{self, blob},
    },
    error::StoreError,
    rejected,
};

pub(in crate::embedded) const APPLICATIONS: &str =
    "SELECT id FROM applications WHERE organization = ?1 ORDER BY id DESC LIMIT ?2";

pub(super) fn messages(
    reader: &Reader,
    organization: &OrganizationId,
    event_id: &Uid,
    limit: usize,
) -> Result<Vec<Message>, StoreError> {
    let mut statement = reader.main.prepare_cached(APPLICATIONS)?;
    let mut rows = statement.query(params![organization.as_str(), MAX_LOOKUPS])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()?
        && found.len() < limit
    {
        let application = ApplicationId::from_u128(row::id(row, 0)?);
        if let Some(sequence) = by_event_id(reader, application, event_id)? {
            found.extend(by_sequence(reader, sequence, false)?);
        }
    }
    Ok(found)
}

pub(in crate::embedded) const ENDPOINT: &str = "SELECT endpoints.record
    FROM endpoints
    CROSS JOIN applications ON applications.id = endpoints.application
    WHERE endpoints.id = ?1 AND applications.organization = ?2";

pub(in crate::embedded) const BY_UID: &str = "SELECT endpoints.record
    FROM (
      SELECT id FROM applications WHERE organization = ?1 ORDER BY id DESC LIMIT ?3
    ) AS owner
    CROSS JOIN endpoints ON endpoints.application = owner.id AND endpoints.uid = ?2
    LIMIT ?4";

pub(in crate::embedded) const BY_URL: &str = "SELECT endpoints.record
    FROM endpoints INDEXED BY endpoints_by_url
    CROSS JOIN applications ON applications.id = endpoints.application
    WHERE json_extract(endpoints.record, '$.url') >= ?1
      AND json_extract(endpoints.record, '$.url') < ?2
      AND applications.organization = ?3
    ORDER BY json_extract(endpoints.record, '$.url')
    LIMIT ?4";

pub(super) fn endpoints(
    reader: &Reader,
    organization: &OrganizationId,
    key: &EndpointKey,
    limit: usize,
) -> Result<Vec<Endpoint>, StoreError> {
    let organization = organization.as_str();
    match key {
        EndpointKey::Id(id) => records(reader, ENDPOINT, params![blob(id.as_u128()), organization]),
        EndpointKey::Uid(uid) => {
            records(reader, BY_UID, params![organization, uid.as_str(), MAX_LOOKUPS, limit])
        },
        EndpointKey::UrlPrefix(prefix) => {
            let Some(end) = prefix_end(prefix) else { return Ok(Vec::new()) };
            records(reader, BY_URL, params![prefix, end, organization, limit])
        },
    }
}

fn records(
    reader: &Reader,
    sql: &'static str,
    values: impl Params,
) -> Result<Vec<Endpoint>, StoreError> {
    let mut statement = reader.main.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

pub(in crate::embedded) const REJECTION: &str = "SELECT rejections.source, rejections.record
    FROM rejections
    CROSS JOIN sources ON sources.id = rejections.source
    WHERE rejections.id = ?1 AND sources.organization = ?2";

pub(super) fn rejection(
    reader: &Reader,
    organization: &OrganizationId,
    id: RejectionId,
) -> Result<Option<Rejection>, StoreError> {
    let mut statement = reader.main.prepare_cached(REJECTION)?;
    let values = params![blob(id.as_u128()), organization.as_str()];
    let found = statement.query_row(values, |row| {
        let source = SourceId::from_u128(row::id(row, 0)?);
        rejected::decode(id, source, row::blob_of(row, 1)?).map_err(error::undecodable)
    });
    Ok(found.optional()?)
}
