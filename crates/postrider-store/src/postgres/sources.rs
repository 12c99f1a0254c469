//! Sources.

use postrider::{OrganizationId, SourceId, Uid};
use postrider_core::catalog::Source;

use super::{
    catalog::{edge, enough, json, many, one, page, put},
    error::DatabaseError,
    notify,
    parameter::Param,
    session::Session,
    value::Uuid,
};
use crate::{
    contract::catalog::IdOrUid,
    page::{Scan, ScanPage},
};

const CREATE: &str = "INSERT INTO source (id, organization, application, uid, token_digest, record)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO NOTHING";

const SAVE: &str = "INSERT INTO source (id, organization, application, uid, token_digest, record)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE
    SET organization = excluded.organization, application = excluded.application,
        uid = excluded.uid, token_digest = excluded.token_digest, record = excluded.record";

const REMOVE: &str = "DELETE FROM source
    WHERE id = $1 AND organization = $2
    RETURNING application";

pub(super) const REMOVE_OF: &str = "DELETE FROM source WHERE application = $1";

pub(super) const FORGET: &str = "DELETE FROM rejection WHERE source = $1";

pub(super) const FORGET_OF: &str = "DELETE FROM rejection
    WHERE source = ANY (ARRAY(SELECT id FROM source WHERE application = $1))";

const SOURCE: &str = "SELECT record FROM source WHERE id = $1 AND organization = $2";

const SOURCE_BY_UID: &str = "SELECT record FROM source WHERE uid = $1 AND organization = $2";

pub(super) const SOURCE_BY_TOKEN: &str = "SELECT record FROM source WHERE token_digest = $1";

const SOURCES_UP: &str = "SELECT record
    FROM source
    WHERE organization = $1 AND id > $2
    ORDER BY id
    LIMIT $3";

const SOURCES_DOWN: &str = "SELECT record
    FROM source
    WHERE organization = $1 AND id < $2
    ORDER BY id DESC
    LIMIT $3";

pub(super) async fn save(
    session: &mut Session,
    it: &Source,
    create: bool,
) -> Result<(), DatabaseError> {
    put(
        session,
        "source",
        if create { CREATE } else { SAVE },
        &[
            &Uuid::from(it.id),
            &it.organization.as_str(),
            &Uuid::from(it.application),
            &it.uid.as_ref().map(Uid::as_str),
            &it.token_digest.as_slice(),
            &json(it)?,
        ],
    )
    .await?;
    notify::changed(session, it.application).await
}

pub(super) async fn remove(
    session: &mut Session,
    organization: &OrganizationId,
    id: SourceId,
) -> Result<bool, DatabaseError> {
    let key: [Param<'_>; 2] = [&Uuid::from(id), &organization.as_str()];
    session.begin().await?;
    let removed = session.query_opt(REMOVE, &key).await?;
    if let Some(row) = &removed {
        session.execute(FORGET, &key[..1]).await?;
        notify::changed(session, row.get::<_, Uuid>(0).into()).await?;
    }
    session.commit().await?;
    Ok(removed.is_some())
}

/// Removes the sources of an application, in the caller's transaction.
pub(super) async fn remove_of(
    session: &mut Session,
    application: &[Param<'_>; 1],
) -> Result<(), DatabaseError> {
    session.execute(FORGET_OF, application).await?;
    session.execute(REMOVE_OF, application).await?;
    Ok(())
}

pub(super) async fn source(
    session: &mut Session,
    organization: &OrganizationId,
    named: &IdOrUid<SourceId>,
) -> Result<Option<Source>, DatabaseError> {
    let organization = &organization.as_str();
    match named {
        IdOrUid::Id(id) => one(session, SOURCE, &[&Uuid::from(*id), organization]).await,
        IdOrUid::Uid(uid) => one(session, SOURCE_BY_UID, &[&uid.as_str(), organization]).await,
    }
}

pub(super) async fn source_by_token(
    session: &mut Session,
    digest: &[u8; 32],
) -> Result<Option<Source>, DatabaseError> {
    one(session, SOURCE_BY_TOKEN, &[&digest.as_slice()]).await
}

pub(super) async fn sources(
    session: &mut Session,
    organization: &OrganizationId,
    scan: &Scan<SourceId>,
) -> Result<ScanPage<Source, SourceId>, DatabaseError> {
    let sql = if scan.ascending { SOURCES_UP } else { SOURCES_DOWN };
    Ok(page(
        many(session, sql, &[&organization.as_str(), &edge(scan), &enough(scan.limit)]).await?,
        scan.limit,
        |it: &Source| it.id,
    ))
}
