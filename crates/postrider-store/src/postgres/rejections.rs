//! Rejections: requests to sources that failed verification.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use postrider::{RejectionId, SourceId};
use postrider_core::message::Rejection;
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
    value::{self, Uuid, millis},
};
use crate::{
    contract::rejections::{MAX_REJECTIONS, Rejections},
    error::StoreError,
    page::{Scan, ScanPage},
    rejected,
};

#[async_trait]
impl Rejections for PostgresStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        with_session!(self.node.api_session(), |session| reject(session, &rejections))
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        with_session!(self.node.api_session(), |session| list(session, source, &scan))
    }
}

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

async fn list(
    session: &mut Session,
    source: SourceId,
    scan: &Scan<RejectionId>,
) -> Result<ScanPage<Rejection, RejectionId>, DatabaseError> {
    let sql = if scan.ascending { REJECTIONS_UP } else { REJECTIONS_DOWN };
    let after = scan.after.map_or_else(|| value::edge(scan.ascending), Uuid::from);
    // One more than the limit tells whether there are more.
    let limit = value::to_bigint(scan.limit).saturating_add(1);
    let rows = session.query(sql, &[&Uuid::from(source), &after, &limit]).await?;
    let rejection = |row: &Row| {
        let found = rejected::decode(row.get::<_, Uuid>(0).into(), source, row.get(1));
        found.map_err(|error| DatabaseError::corrupt("rejection", error))
    };
    let found = rows.iter().map(rejection).collect::<Result<_, _>>()?;
    Ok(ScanPage::cut(found, scan.limit, |rejection: &Rejection| rejection.id))
}

/// Locks the sources against removal: rejections of a removed source would never be deleted.
/// Rejections of a source that does not exist are ignored.
pub(super) const REJECT: &str = "INSERT INTO rejection (source, id, at, details)
    SELECT new.source, new.id, new.at, new.details
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[])
        AS new (source, id, at, details)
    CROSS JOIN LATERAL (SELECT FROM source WHERE id = new.source LIMIT 1 FOR KEY SHARE) AS known
    ON CONFLICT DO NOTHING";

/// Deletes all but the newest of each source.
pub(super) const DELETE_SURPLUS: &str = "DELETE FROM rejection
    WHERE ctid = ANY (ARRAY(
        SELECT old.ctid
        FROM unnest($1::uuid[]) AS key (source)
        CROSS JOIN LATERAL (
            SELECT r.ctid FROM rejection r WHERE r.source = key.source
            ORDER BY r.id DESC OFFSET $2
        ) AS old
    ))";

async fn reject(session: &mut Session, rejections: &[Rejection]) -> Result<(), DatabaseError> {
    if rejections.is_empty() {
        return Ok(());
    }
    let newest = newest(rejections);
    let sources: Vec<_> = newest.iter().map(|it| Uuid::from(it.source)).collect();
    let ids: Vec<_> = newest.iter().map(|it| Uuid::from(it.id)).collect();
    let at: Vec<_> = newest.iter().map(|it| millis(it.created_at())).collect();
    let details: Vec<_> = newest.iter().map(|it| rejected::encode(it)).collect();
    let distinct: Vec<_> = sources.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    session.begin().await?;
    session.execute(REJECT, &[&sources, &ids, &at, &details]).await?;
    session.execute(DELETE_SURPLUS, &[&distinct, &max_rejections()]).await?;
    session.commit().await
}

/// The newest rejections of each source, as many as are kept, in the order in which all nodes lock
/// the sources.
fn newest(rejections: &[Rejection]) -> Vec<&Rejection> {
    let mut by_source: BTreeMap<SourceId, BTreeMap<RejectionId, &Rejection>> = BTreeMap::new();
    for rejection in rejections {
        let of_source = by_source.entry(rejection.source).or_default();
        of_source.entry(rejection.id).or_insert(rejection);
    }
    let newest = |of_source: BTreeMap<_, _>| of_source.into_values().rev().take(MAX_REJECTIONS);
    by_source.into_values().flat_map(newest).collect()
}

fn max_rejections() -> i64 {
    i64::try_from(MAX_REJECTIONS).expect("a thousand fits")
}
