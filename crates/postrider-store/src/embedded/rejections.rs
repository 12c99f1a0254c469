//! The rejections contract.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use async_trait::async_trait;
use postrider::{ApplicationId, OrganizationId, RejectionId, SourceId};
use postrider_core::{message::Rejection, time::Timestamp};
use rusqlite::{Connection, Row, params};

use super::{
    error,
    ledger::Ledger,
    row::{self, blob},
    store::EmbeddedStore,
};
use crate::{
    contract::rejections::{MAX_REJECTIONS, Rejections, SCANNED},
    error::StoreError,
    page::{Scan, ScanPage},
    rejected,
    weight::{LIST_BYTES, Weight},
};

/// Rejections that one call of [`Ledger::expire_rejections`] removes: each may have many pages.
const EXPIRED_PER_CALL: usize = 100;

#[async_trait]
impl Rejections for EmbeddedStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        let reject = move |ledger: &mut Ledger| {
            ledger.require_space()?;
            ledger.reject(&rejections)
        };
        self.commit(reject).await
    }

    async fn rejections_of(
        &self,
        organization: &OrganizationId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        let organization = organization.clone();
        self.search(move |reader| Ok(list_all(&reader.main, &organization, &scan)?)).await
    }

    /// Searches although no index is needed: with bodies, a page is megabytes long, and fetches
    /// must not wait for it.
    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        self.search(move |reader| Ok(list(&reader.main, source, &scan)?)).await
    }
}

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

fn list(
    db: &Connection,
    source: SourceId,
    scan: &Scan<RejectionId>,
) -> rusqlite::Result<ScanPage<Rejection, RejectionId>> {
    let after = scan.after.map(|after| blob(after.as_u128()));
    let after = after.as_ref().map_or_else(|| row::edge(scan.ascending), |id| &id[..]);
    let sql = if scan.ascending { REJECTIONS_UP } else { REJECTIONS_DOWN };
    let values = params![blob(source.as_u128()), after, scan.limit + 1];
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(values, |row| from_row(row, source))?;
    Ok(ScanPage::cut(found.collect::<Result<_, _>>()?, scan.limit, |rejection: &Rejection| {
        rejection.id
    }))
}

/// Reads the columns `id, record`.
fn from_row(row: &Row<'_>, source: SourceId) -> rusqlite::Result<Rejection> {
    let id = RejectionId::from_u128(row::id(row, 0)?);
    rejected::decode(id, source, row::blob_of(row, 1)?).map_err(error::undecodable)
}

pub(super) const ALL_UP: &str = "SELECT id, source
    FROM rejections
    WHERE id > ?1
    ORDER BY id
    LIMIT ?2";

pub(super) const ALL_DOWN: &str = "SELECT id, source
    FROM rejections
    WHERE id < ?1
    ORDER BY id DESC
    LIMIT ?2";

const ORGANIZATION_OF: &str = "SELECT 1 FROM sources WHERE id = ?1 AND organization = ?2";

const RECORD: &str = "SELECT id, record FROM rejections WHERE id = ?1";

/// Looks at the rejections of all organizations, because there are few, and reads only the records
/// of this one.
fn list_all(
    db: &Connection,
    organization: &OrganizationId,
    scan: &Scan<RejectionId>,
) -> rusqlite::Result<ScanPage<Rejection, RejectionId>> {
    let after = scan.after.map(|after| blob(after.as_u128()));
    let after = after.as_ref().map_or_else(|| row::edge(scan.ascending), |id| &id[..]);
    let sql = if scan.ascending { ALL_UP } else { ALL_DOWN };
    let mut statement = db.prepare_cached(sql)?;
    let mut is_own = db.prepare_cached(ORGANIZATION_OF)?;
    let mut record = db.prepare_cached(RECORD)?;
    let mut page = ScanPage { items: Vec::<Rejection>::new(), resume: None };
    let (mut own, mut seen, mut bytes) = (HashMap::new(), 0, 0);
    let mut rows = statement.query(params![after, SCANNED])?;
    while let Some(found) = rows.next()? {
        let id = RejectionId::from_u128(row::id(found, 0)?);
        let source = SourceId::from_u128(row::id(found, 1)?);
        let is_included = match own.entry(source) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let values = params![blob(source.as_u128()), organization.as_str()];
                *unknown.insert(is_own.exists(values)?)
            },
        };
        if is_included {
            if page.items.len() == scan.limit || bytes >= LIST_BYTES {
                return Ok(page);
            }
            let read = record.query_row([blob(id.as_u128())], |row| from_row(row, source))?;
            bytes += read.weight();
            page.items.push(read);
        }
        seen += 1;
        page.resume = Some(id);
    }
    page.resume = page.resume.filter(|_| seen == SCANNED);
    Ok(page)
}

const SOURCE_EXISTS: &str = "SELECT 1 FROM sources WHERE id = ?1";

impl Ledger {
    fn reject(&mut self, rejections: &[Rejection]) -> Result<(), StoreError> {
        let mut by_source: BTreeMap<SourceId, Vec<&Rejection>> = BTreeMap::new();
        for rejection in rejections {
            by_source.entry(rejection.source).or_default().push(rejection);
        }
        // Anyone can send requests that are rejected. They must not fill the store, nor replace
        // the rejections of other sources.
        for (source, mut of_source) in by_source {
            if self.db.prepare_cached(SOURCE_EXISTS)?.exists([blob(source.as_u128())])? {
                of_source.sort_unstable_by_key(|rejection| rejection.id);
                let surplus = of_source.len().saturating_sub(MAX_REJECTIONS);
                self.store_rejections(source, &of_source[surplus..])?;
            }
        }
        Ok(())
    }
}

const INSERT: &str = "INSERT OR IGNORE INTO rejections (id, source, record) VALUES (?1, ?2, ?3)";

/// Removes all but the newest ones.
pub(super) const REMOVE_SURPLUS: &str = "DELETE FROM rejections
    WHERE id IN (
      SELECT id FROM rejections WHERE source = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2
    )";

impl Ledger {
    fn store_rejections(
        &mut self,
        source: SourceId,
        rejections: &[&Rejection],
    ) -> Result<(), StoreError> {
        let source = blob(source.as_u128());
        for rejection in rejections {
            let record = rejected::encode(rejection);
            let values = params![blob(rejection.id.as_u128()), source, record];
            self.db.prepare_cached(INSERT)?.execute(values)?;
            self.written += record.len();
        }
        self.db.prepare_cached(REMOVE_SURPLUS)?.execute(params![source, MAX_REJECTIONS])?;
        Ok(())
    }
}

pub(super) const REMOVE_OF_SOURCE: &str = "DELETE FROM rejections WHERE source = ?1";

pub(super) const REMOVE_OF_APPLICATION: &str = "DELETE FROM rejections
    WHERE source IN (SELECT id FROM sources WHERE application = ?1)";

impl Ledger {
    /// Removes the rejections of a source that is removed.
    pub(super) fn remove_rejections(&self, source: SourceId) -> Result<(), StoreError> {
        self.db.prepare_cached(REMOVE_OF_SOURCE)?.execute([blob(source.as_u128())])?;
        Ok(())
    }

    /// Removes the rejections of all sources of an application, before the sources are removed.
    pub(super) fn remove_rejections_of(
        &self,
        application: ApplicationId,
    ) -> Result<(), StoreError> {
        let application = blob(application.as_u128());
        self.db.prepare_cached(REMOVE_OF_APPLICATION)?.execute([application])?;
        Ok(())
    }
}

pub(super) const REMOVE_OLD: &str = "DELETE FROM rejections
    WHERE id IN (SELECT id FROM rejections WHERE id < ?1 ORDER BY id LIMIT ?2)";

impl Ledger {
    /// Removes rejections that were created before `first_kept`; `true` if there may be more.
    pub(super) fn expire_rejections(&self, first_kept: Timestamp) -> Result<bool, StoreError> {
        let values = params![row::first_id_at(first_kept), EXPIRED_PER_CALL];
        Ok(self.db.prepare_cached(REMOVE_OLD)?.execute(values)? == EXPIRED_PER_CALL)
    }
}
