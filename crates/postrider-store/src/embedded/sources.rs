//! Reading sources.

use postrider::{OrganizationId, SourceId};
use postrider_core::catalog::Source;
use rusqlite::{Connection, params};

use super::{
    records::{edge, many, one, page},
    row::blob,
};
use crate::{
    contract::catalog::IdOrUid,
    page::{Scan, ScanPage},
};

const SOURCE: &str = "SELECT record FROM sources WHERE id = ?1 AND organization = ?2";

const SOURCE_BY_UID: &str = "SELECT record FROM sources WHERE uid = ?1 AND organization = ?2";

pub(super) const SOURCE_BY_TOKEN: &str = "SELECT record FROM sources WHERE token_digest = ?1";

const SOURCES_UP: &str = "SELECT record
    FROM sources
    WHERE organization = ?1 AND id > ?2
    ORDER BY id
    LIMIT ?3";

const SOURCES_DOWN: &str = "SELECT record
    FROM sources
    WHERE organization = ?1 AND id < ?2
    ORDER BY id DESC
    LIMIT ?3";

pub(super) fn source(
    db: &Connection,
    organization: &OrganizationId,
    named: &IdOrUid<SourceId>,
) -> rusqlite::Result<Option<Source>> {
    let organization = organization.as_str();
    match named {
        IdOrUid::Id(id) => one(db, SOURCE, params![blob(id.as_u128()), organization]),
        IdOrUid::Uid(uid) => one(db, SOURCE_BY_UID, params![uid.as_str(), organization]),
    }
}

pub(super) fn source_by_token(
    db: &Connection,
    digest: [u8; 32],
) -> rusqlite::Result<Option<Source>> {
    one(db, SOURCE_BY_TOKEN, [digest])
}

pub(super) fn sources(
    db: &Connection,
    organization: &OrganizationId,
    scan: &Scan<SourceId>,
) -> rusqlite::Result<ScanPage<Source, SourceId>> {
    let from = edge(scan, SourceId::as_u128);
    let sql = if scan.ascending { SOURCES_UP } else { SOURCES_DOWN };
    let values = params![organization.as_str(), from, scan.limit + 1];
    Ok(page(many(db, sql, values)?, scan.limit, |it: &Source| it.id))
}
