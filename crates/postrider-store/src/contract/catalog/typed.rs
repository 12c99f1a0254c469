//! The catalog's operations on typed records.

use std::future::Future;

use postrider::ConsumerId;
use postrider_core::{audit::AuditEntry, catalog::Consumer};

use super::{
    Catalog, Expected, IdOrUid, RecordRange, RecordRow, Selector, StoredRecord, Version,
    record::Record,
};
use crate::{
    contract::audit::{AuditLog, Change, Changed},
    error::StoreError,
    page::{Scan, ScanPage},
};

/// Gets, lists, saves and removes typed records in any store.
pub trait Records: Catalog + AuditLog {
    /// Returns the record with this id or uid.
    fn get<R: Record>(
        &self,
        parent: &R::Parent,
        key: &IdOrUid<R::Id>,
    ) -> impl Future<Output = Result<Option<R>, StoreError>> + Send {
        let found = self.get_versioned(parent, key);
        async { Ok(found.await?.map(|(record, _)| record)) }
    }

    /// Returns the record with this id or uid, and its version for [`Expected::Version`].
    fn get_versioned<R: Record>(
        &self,
        parent: &R::Parent,
        key: &IdOrUid<R::Id>,
    ) -> impl Future<Output = Result<Option<(R, Version)>, StoreError>> + Send {
        let parent = parent.clone().into();
        let selector = match key {
            IdOrUid::Id(id) => Selector::Id(parent, id.clone().into()),
            IdOrUid::Uid(uid) => Selector::Uid(parent, uid.clone()),
        };
        select(self, selector)
    }

    /// Returns the record with this unique key, in whatever parent.
    fn find<R: Record>(
        &self,
        key: R::UniqueKey,
    ) -> impl Future<Output = Result<Option<R>, StoreError>> + Send {
        let found = self.find_versioned(key);
        async { Ok(found.await?.map(|(record, _)| record)) }
    }

    /// Returns the record with this unique key, and its version for [`Expected::Version`].
    fn find_versioned<R: Record>(
        &self,
        key: R::UniqueKey,
    ) -> impl Future<Output = Result<Option<(R, Version)>, StoreError>> + Send {
        select(self, Selector::Unique(key.into()))
    }

    /// Lists the records of the parent that are not hidden.
    fn list<R: Record>(
        &self,
        parent: &R::Parent,
        scan: Scan<R::Id>,
    ) -> impl Future<Output = Result<ScanPage<R, R::Id>, StoreError>> + Send {
        list(self, parent, scan, false)
    }

    /// Lists the records of the parent, with the hidden ones.
    fn list_with_hidden<R: Record>(
        &self,
        parent: &R::Parent,
        scan: Scan<R::Id>,
    ) -> impl Future<Output = Result<ScanPage<R, R::Id>, StoreError>> + Send {
        list(self, parent, scan, true)
    }

    /// Lists the records of the parent, with the hidden ones, each with its version.
    fn list_versioned<R: Record>(
        &self,
        parent: &R::Parent,
        scan: Scan<R::Id>,
    ) -> impl Future<Output = Result<ScanPage<(R, Version), R::Id>, StoreError>> + Send {
        list_versioned(self, parent, scan)
    }

    /// Lists the consumers of all organizations; see [`Catalog::consumers`].
    fn all_consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Consumer>, StoreError>> + Send {
        let found = self.consumers(after, limit);
        async { found.await?.iter().map(StoredRecord::decode).collect() }
    }

    /// Saves the record; see [`Catalog::save_record`].
    fn save<R: Record>(
        &self,
        record: &R,
        expected: Expected,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send {
        let row = RecordRow::of(record);
        async move { self.save_record(row?, expected).await }
    }

    /// Saves the record, and writes the entry in the same transaction; see [`AuditLog::change`].
    fn save_audited<R: Record>(
        &self,
        record: &R,
        expected: Expected,
        entry: AuditEntry,
    ) -> impl Future<Output = Result<Version, StoreError>> + Send {
        let row = RecordRow::of(record);
        async move {
            match self.change(Change::SaveRecord(row?, expected), entry).await? {
                Changed::Saved(version) => Ok(version),
                Changed::Done(_) => unreachable!("a record was saved"),
            }
        }
    }

    /// Removes the record, and writes the entry in the same transaction if there was one.
    fn remove_audited<R: Record>(
        &self,
        parent: &R::Parent,
        id: &R::Id,
        entry: AuditEntry,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        let change = Change::RemoveRecord(R::KIND, parent.clone().into(), id.clone().into());
        async move { Ok(self.change(change, entry).await? == Changed::Done(true)) }
    }

    /// Removes the record; see [`Catalog::remove_record`].
    fn remove<R: Record>(
        &self,
        parent: &R::Parent,
        id: &R::Id,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        self.remove_record(R::KIND, parent.clone().into(), id.clone().into())
    }
}

impl<C: Catalog + AuditLog + ?Sized> Records for C {}

async fn select<R: Record, C: Catalog + ?Sized>(
    catalog: &C,
    selector: Selector,
) -> Result<Option<(R, Version)>, StoreError> {
    let Some(found) = catalog.get_record(R::KIND, selector).await? else { return Ok(None) };
    Ok(Some((found.decode()?, found.version)))
}

async fn list<R: Record, C: Catalog + ?Sized>(
    catalog: &C,
    parent: &R::Parent,
    scan: Scan<R::Id>,
    with_hidden: bool,
) -> Result<ScanPage<R, R::Id>, StoreError> {
    let limit = scan.limit;
    let found = stored::<R, C>(catalog, parent, scan, with_hidden).await?;
    let records = found.iter().map(StoredRecord::decode::<R>).collect::<Result<Vec<_>, _>>()?;
    Ok(ScanPage::cut(records, limit, R::id))
}

async fn list_versioned<R: Record, C: Catalog + ?Sized>(
    catalog: &C,
    parent: &R::Parent,
    scan: Scan<R::Id>,
) -> Result<ScanPage<(R, Version), R::Id>, StoreError> {
    let limit = scan.limit;
    let found = stored::<R, C>(catalog, parent, scan, true).await?;
    let decode = |it: &StoredRecord| Ok((it.decode::<R>()?, it.version));
    let records = found.iter().map(decode).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(ScanPage::cut(records, limit, |(record, _)| record.id()))
}

async fn stored<R: Record, C: Catalog + ?Sized>(
    catalog: &C,
    parent: &R::Parent,
    scan: Scan<R::Id>,
    with_hidden: bool,
) -> Result<Vec<StoredRecord>, StoreError> {
    let range = RecordRange {
        parent: parent.clone().into(),
        with_hidden,
        after: scan.after.map(Into::into),
        ascending: scan.ascending,
        // One more than the limit tells whether there are more.
        limit: scan.limit.saturating_add(1),
    };
    catalog.list_records(R::KIND, range).await
}
