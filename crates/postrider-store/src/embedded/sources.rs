//! Reading rejections.

use postrider::{RejectionId, SourceId};
use postrider_core::message::Rejection;
use rusqlite::{Connection, Row, params};

use super::{
    row::{self, blob},
    trouble,
};
use crate::{Scan, ScanPage, rejected};

pub(super) const REJECTIONS_UP: &str = "SELECT id, record
    FROM rejections
    WHERE source = ?1 AND id > ?2
    ORDER BY id
    LIMIT ?3";

pub(super) const REJECTIONS_DOWN: &str = "SELECT id, record
    FROM rejections
    WHERE source = ?1 AND id < ?2
    ORDER BY id DESC
    LIMIT ?3";

pub(super) fn rejections(
    db: &Connection,
    source: SourceId,
    scan: &Scan<RejectionId>,
) -> rusqlite::Result<ScanPage<Rejection, RejectionId>> {
    let from = edge(scan, RejectionId::as_u128);
    let sql = if scan.ascending { REJECTIONS_UP } else { REJECTIONS_DOWN };
    let values = params![blob(source.as_u128()), from, scan.limit + 1];
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(values, |it| rejection(it, source))?;
    Ok(ScanPage::cut(found.collect::<Result<_, _>>()?, scan.limit, |it: &Rejection| it.id))
}

/// Columns `id, record`.
fn rejection(it: &Row<'_>, source: SourceId) -> rusqlite::Result<Rejection> {
    let id = RejectionId::from_u128(row::id(it, 0)?);
    rejected::decode(id, source, row::blob_of(it, 1)?).map_err(trouble::undecodable)
}

/// The value after which a scan of ids starts.
fn edge<K: Copy>(scan: &Scan<K>, raw: impl Fn(K) -> u128) -> Vec<u8> {
    match scan.after {
        Some(after) => blob(raw(after)).to_vec(),
        None if scan.ascending => Vec::new(),
        // Longer than an id, so that it sorts after every one.
        None => vec![0xff; 17],
    }
}
