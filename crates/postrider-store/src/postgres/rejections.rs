//! Rejections: requests to sources that failed verification.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use postrider::{OrganizationId, RejectionId, SourceId};
use postrider_core::{message::Rejection, time::Timestamp};
use tokio_postgres::Row;

use super::{
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
    value::{self, Uuid, millis},
};
use crate::{
    contract::rejections::{MAX_REJECTIONS, Rejections, SCANNED},
    error::StoreError,
    page::{Scan, ScanPage},
    rejected, weight,
};

#[async_trait]
impl Rejections for PostgresStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        with_session!(self.node.api_session(), |session| reject(session, &rejections))
    }

    async fn rejections_of(
        &self,
        organization: &OrganizationId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        with_session!(self.node.api_session(), |session| list_all(session, organization, &scan))
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

/// Whether each of the rejections behind an id belongs to the organization. The time is that of the
/// id.
pub(super) const ALL_UP: &str = "SELECT r.id, r.source, coalesce(s.organization = $1, false)
    FROM (
        SELECT id, source FROM rejection WHERE at >= $4 AND id > $2 ORDER BY at, id LIMIT $3
    ) AS r
    LEFT JOIN LATERAL (SELECT organization FROM source WHERE id = r.source LIMIT 1) AS s ON true
    ORDER BY r.id";

pub(super) const ALL_DOWN: &str = "SELECT r.id, r.source, coalesce(s.organization = $1, false)
    FROM (
        SELECT id, source FROM rejection
        WHERE at <= $4 AND id < $2
        ORDER BY at DESC, id DESC LIMIT $3
    ) AS r
    LEFT JOIN LATERAL (SELECT organization FROM source WHERE id = r.source LIMIT 1) AS s ON true
    ORDER BY r.id DESC";

pub(super) const DETAILS: &str = "SELECT r.id, r.source, r.details
    FROM unnest($1::uuid[], $2::uuid[]) AS key (source, id)
    CROSS JOIN LATERAL (
        SELECT id, source, details FROM rejection WHERE source = key.source AND id = key.id
        LIMIT 1
    ) AS r";

/// Looks at the rejections of all organizations, because there are few, and reads only the details
/// of this one.
async fn list_all(
    session: &mut Session,
    organization: &OrganizationId,
    scan: &Scan<RejectionId>,
) -> Result<ScanPage<Rejection, RejectionId>, DatabaseError> {
    let sql = if scan.ascending { ALL_UP } else { ALL_DOWN };
    let after = scan.after.map_or_else(|| value::edge(scan.ascending), Uuid::from);
    let edge = if scan.ascending { 0 } else { i64::MAX };
    let at = scan.after.map_or(edge, |id| millis(Timestamp::from_millis(id.millis())));
    let scanned = value::to_bigint(SCANNED);
    let seen = session.query(sql, &[&organization.as_str(), &after, &scanned, &at]).await?;
    let own: Vec<&Row> = seen.iter().filter(|row| row.get(2)).take(scan.limit + 1).collect();
    let wanted = own.get(..scan.limit).unwrap_or(&own);
    let (sources, ids): (Vec<Uuid>, Vec<Uuid>) =
        wanted.iter().map(|row| (row.get::<_, Uuid>(1), row.get::<_, Uuid>(0))).unzip();
    let rows = session.query(DETAILS, &[&sources, &ids]).await?;
    let rejection = |row: &Row| {
        let source = row.get::<_, Uuid>(1).into();
        let found = rejected::decode(row.get::<_, Uuid>(0).into(), source, row.get(2));
        found.map_err(|error| DatabaseError::corrupt("rejection", error))
    };
    let mut items = rows.iter().map(rejection).collect::<Result<Vec<_>, _>>()?;
    items.sort_unstable_by_key(|it| it.id);
    if !scan.ascending {
        items.reverse();
    }
    let fitting = weight::fitting(items.iter());
    let is_cut = items.len() > fitting;
    items.truncate(fitting);
    // Behind the last item if there are more of them, else behind the last row that was seen.
    let resume = if is_cut || own.len() > scan.limit {
        items.last().map(|it| it.id)
    } else {
        seen.last().filter(|_| seen.len() == SCANNED).map(|row| row.get::<_, Uuid>(0).into())
    };
    Ok(ScanPage { items, resume })
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
