//! Rejections: requests to sources that were rejected.

use std::collections::{BTreeMap, BTreeSet};

use postrider::{RejectionId, SourceId};
use postrider_core::message::Rejection;
use tokio_postgres::{Row, types::Type};

use super::{
    session::{Param, Session},
    trouble,
    value::{Uuid, millis},
};
use crate::{MAX_REJECTIONS, Scan, ScanPage, StoreError, rejected};

pub(super) const REMOVE_OF: &str = "DELETE FROM source WHERE application = $1";

pub(super) const FORGET: &str = "DELETE FROM rejection WHERE source = $1";

pub(super) const FORGET_OF: &str = "DELETE FROM rejection
    WHERE source = ANY (ARRAY(SELECT id FROM source WHERE application = $1))";

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

pub(super) async fn rejections(
    session: &mut Session,
    source: SourceId,
    scan: &Scan<RejectionId>,
) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
    let sql = if scan.ascending { REJECTIONS_UP } else { REJECTIONS_DOWN };
    // One more than the limit tells whether there are more.
    let enough = i64::try_from(scan.limit).unwrap_or(i64::MAX).saturating_add(1);
    let edge = match scan.after {
        Some(after) => after.into(),
        None if scan.ascending => Uuid(0),
        None => Uuid(u128::MAX),
    };
    let values: [Param<'_>; 3] =
        [(&Uuid::from(source), Type::UUID), (&edge, Type::UUID), (&enough, Type::INT8)];
    let rejection = |row: &Row| {
        let found = rejected::decode(row.get::<_, Uuid>(0).into(), source, row.get(1));
        found.map_err(|error| trouble::corrupt("rejection", error))
    };
    let found = session.query(sql, &values).await?;
    let found = found.iter().map(rejection).collect::<Result<_, _>>()?;
    Ok(ScanPage::cut(found, scan.limit, |it: &Rejection| it.id))
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
