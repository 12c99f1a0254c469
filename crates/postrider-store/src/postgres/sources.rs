//! Sources, and requests to them that were turned away.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{OrganizationId, RejectionId, SourceId, Uid};
use postrider_core::{catalog::Source, message::Rejection};
use tokio_postgres::{Row, types::Type};

use super::{
    catalog::{edge, enough, json, many, one, page, put},
    notice,
    session::{Param, Session},
    trouble,
    value::{Uuid, millis},
};
use crate::{IdOrUid, MAX_REJECTIONS, Scan, ScanPage, StoreError, rejected};

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

pub(super) const REJECTIONS_UP: &str = "SELECT id, details
    FROM rejection
    WHERE source = $1 AND id > $2
    ORDER BY id
    LIMIT $3";

pub(super) const REJECTIONS_DOWN: &str = "SELECT id, details
    FROM rejection
    WHERE source = $1 AND id < $2
    ORDER BY id DESC
    LIMIT $3";

/// A source that is being removed is waited for, and then has none.
pub(super) const REJECT: &str = "INSERT INTO rejection (source, id, at, details)
    SELECT it.source, it.id, it.at, it.details
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[])
        AS it (source, id, at, details)
    CROSS JOIN LATERAL (SELECT FROM source WHERE id = it.source LIMIT 1 FOR KEY SHARE) AS known
    ON CONFLICT DO NOTHING";

/// Behind the newest of each source, which stay.
pub(super) const FORGET_SURPLUS: &str = "DELETE FROM rejection
    WHERE ctid = ANY (ARRAY(
        SELECT old.ctid
        FROM unnest($1::uuid[]) AS it (source)
        CROSS JOIN LATERAL (
            SELECT r.ctid FROM rejection r WHERE r.source = it.source
            ORDER BY r.id DESC OFFSET $2
        ) AS old
    ))";

pub(super) async fn save(
    session: &mut Session,
    it: &Source,
    create: bool,
) -> Result<(), StoreError> {
    let values: [Param<'_>; 6] = [
        (&Uuid::from(it.id), Type::UUID),
        (&it.organization.as_str(), Type::TEXT),
        (&Uuid::from(it.application), Type::UUID),
        (&it.uid.as_ref().map(Uid::as_str), Type::TEXT),
        (&it.token_digest.as_slice(), Type::BYTEA),
        (&json(it)?, Type::TEXT),
    ];
    put(session, "source", if create { CREATE } else { SAVE }, &values).await?;
    notice::changed(session, it.application).await
}

pub(super) async fn remove(
    session: &mut Session,
    organization: &OrganizationId,
    id: SourceId,
) -> Result<bool, StoreError> {
    let key: [Param<'_>; 2] = [(&Uuid::from(id), Type::UUID), (&organization.as_str(), Type::TEXT)];
    session.begin().await?;
    let removed = session.query_opt(REMOVE, &key).await?;
    if let Some(row) = &removed {
        session.execute(FORGET, &key[..1]).await?;
        notice::changed(session, row.get::<_, Uuid>(0).into()).await?;
    }
    session.commit().await?;
    Ok(removed.is_some())
}

/// Removes the sources of an application, in the caller's transaction.
pub(super) async fn remove_of(
    session: &mut Session,
    application: &[Param<'_>; 1],
) -> Result<(), StoreError> {
    session.execute(FORGET_OF, application).await?;
    session.execute(REMOVE_OF, application).await?;
    Ok(())
}

pub(super) async fn source(
    session: &mut Session,
    organization: &OrganizationId,
    named: &IdOrUid<SourceId>,
) -> Result<Option<Source>, StoreError> {
    let organization = (&organization.as_str() as _, Type::TEXT);
    match named {
        IdOrUid::Id(id) => {
            one(session, SOURCE, &[(&Uuid::from(*id), Type::UUID), organization]).await
        },
        IdOrUid::Uid(uid) => {
            one(session, SOURCE_BY_UID, &[(&uid.as_str(), Type::TEXT), organization]).await
        },
    }
}

pub(super) async fn source_by_token(
    session: &mut Session,
    digest: &[u8; 32],
) -> Result<Option<Source>, StoreError> {
    one(session, SOURCE_BY_TOKEN, &[(&digest.as_slice(), Type::BYTEA)]).await
}

pub(super) async fn sources(
    session: &mut Session,
    organization: &OrganizationId,
    scan: &Scan<SourceId>,
) -> Result<ScanPage<Source, SourceId>, StoreError> {
    let sql = if scan.ascending { SOURCES_UP } else { SOURCES_DOWN };
    let values: [Param<'_>; 3] = [
        (&organization.as_str(), Type::TEXT),
        (&edge(scan), Type::UUID),
        (&enough(scan.limit), Type::INT8),
    ];
    Ok(page(many(session, sql, &values).await?, scan.limit, |it: &Source| it.id))
}

pub(super) async fn rejections(
    session: &mut Session,
    source: SourceId,
    scan: &Scan<RejectionId>,
) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
    let sql = if scan.ascending { REJECTIONS_UP } else { REJECTIONS_DOWN };
    let values: [Param<'_>; 3] = [
        (&Uuid::from(source), Type::UUID),
        (&edge(scan), Type::UUID),
        (&enough(scan.limit), Type::INT8),
    ];
    let rejection = |row: &Row| {
        let found = rejected::decode(row.get::<_, Uuid>(0).into(), source, row.get(1));
        found.map_err(|error| trouble::corrupt("rejection", error))
    };
    let found = session.query(sql, &values).await?;
    let found = found.iter().map(rejection).collect::<Result<_, _>>()?;
    Ok(page(found, scan.limit, |it: &Rejection| it.id))
}

pub(super) async fn reject(
    session: &mut Session,
    rejections: &[Rejection],
) -> Result<(), StoreError> {
    if rejections.is_empty() {
        return Ok(());
    }
    let newest = newest(rejections);
    let sources: Vec<_> = newest.iter().map(|it| Uuid::from(it.source)).collect();
    let ids: Vec<_> = newest.iter().map(|it| Uuid::from(it.id)).collect();
    let at: Vec<_> = newest.iter().map(|it| millis(it.created_at())).collect();
    let details: Vec<_> = newest.iter().map(|it| rejected::encode(it)).collect();
    let each: Vec<_> = sources.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    session.begin().await?;
    let values: [Param<'_>; 4] = [
        (&sources, Type::UUID_ARRAY),
        (&ids, Type::UUID_ARRAY),
        (&at, Type::INT8_ARRAY),
        (&details, Type::BYTEA_ARRAY),
    ];
    session.execute(REJECT, &values).await?;
    let values: [Param<'_>; 2] = [(&each, Type::UUID_ARRAY), (&most(), Type::INT8)];
    session.execute(FORGET_SURPLUS, &values).await?;
    session.commit().await
}

/// Not more of a source than are kept, in the order in which all nodes lock them.
fn newest(rejections: &[Rejection]) -> Vec<&Rejection> {
    let mut of: BTreeMap<SourceId, BTreeMap<RejectionId, &Rejection>> = BTreeMap::new();
    for it in rejections {
        of.entry(it.source).or_default().entry(it.id).or_insert(it);
    }
    let newest = |of: BTreeMap<_, _>| of.into_values().rev().take(MAX_REJECTIONS);
    of.into_values().flat_map(newest).collect()
}

fn most() -> i64 {
    i64::try_from(MAX_REJECTIONS).expect("a thousand fits")
}
