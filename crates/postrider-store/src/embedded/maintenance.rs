//! The maintenance contract: which thread does what for each method.

mod backup;
pub(super) mod erase;
mod expire;
mod format;
mod rewrite;
mod salvage;
mod scan;
mod size;
mod tables;
mod verify;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use self::erase::{SearchedAt, search};
#[cfg(test)]
pub(super) use self::expire::{REMOVE_DEAD_LETTERS, REMOVE_TASKS};
pub use self::{
    backup::backup,
    format::format_of,
    salvage::{Salvaged, salvage},
    verify::{VerifiedRows, verify},
};
use super::{
    checkpoint, database, files, ledger::Ledger, readers::Reader, store::EmbeddedStore, thread,
};
use crate::{
    contract::maintenance::{
        DiskSize, Maintenance, Retention, Rewrite, RewritePage, RewritePosition, StoreSize,
    },
    error::{StoreError, StoreFailure},
};

#[async_trait]
impl Maintenance for EmbeddedStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        let mut more = false;
        for step in expire::STEPS {
            more |= self.commit(move |ledger| step(ledger, now, retention)).await?;
        }
        Ok(more)
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        // Only a complete index shows that nothing is left.
        match self.try_erase(now, limit).await {
            Err(StoreError::Rebuilding(_)) => Ok(false),
            result => result,
        }
    }

    async fn rewrite(
        &self,
        position: RewritePosition,
        limit: usize,
        rewrite: Arc<dyn Rewrite>,
    ) -> Result<RewritePage, StoreError> {
        let page =
            move |reader: &mut Reader| rewrite::page(&reader.main, position, limit, &*rewrite);
        let mut changes = self.read(page).await?;
        let next = changes.next.take();
        if changes.is_empty() {
            return Ok(RewritePage { replaced: 0, next });
        }
        let replaced = self.commit(move |ledger| ledger.replace(&changes)).await?;
        Ok(RewritePage { replaced, next })
    }

    async fn forget_replaced(&self) -> Result<(), StoreError> {
        self.truncate_log().await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (open, to) = (self.open_store()?, to.to_owned());
        let from = open.folder().path().to_owned();
        // A thread of its own, because a large store takes minutes to copy.
        let copy = move || backup::backup_open((&from, open.file()), &to)?.require_intact(&to);
        thread::run("store-backup", copy).await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        let backlog = self.commit(|ledger| Ok(ledger.backlog())).await?;
        let open = self.open_store()?;
        let (folder, handles) = (open.folder(), open.handles());
        let disk = rustix::fs::statvfs(folder.path()).ok().map(|it| DiskSize {
            free_bytes: it.f_bavail.saturating_mul(it.f_frsize),
            total_bytes: it.f_blocks.saturating_mul(it.f_frsize),
        });
        let lag = handles.commits.position().0.saturating_sub(handles.index.applied().0);
        Ok(StoreSize {
            waiting: backlog.waiting,
            oldest_due: backlog.oldest_due,
            bytes: folder.bytes().map_err(StoreError::Unavailable)?,
            disk,
            index_lag: Some(lag),
            index_rebuild: handles.index.coverage().rebuild(),
            connections: None,
        })
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        self.commit(Ledger::check_writable).await
    }

    async fn failed(&self) -> StoreFailure {
        self.ended().cancelled().await;
        self.sync().reason()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shut();
        Ok(())
    }
}

impl EmbeddedStore {
    /// A reading thread finds what is left of removed applications; the commit thread erases it.
    async fn try_erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        let due = self.commit(move |ledger| ledger.next_erasures(now)).await?;
        if due.is_empty() {
            return self.free_endpoint_numbers(limit).await;
        }
        let searched = SearchedAt { time: now, position: self.position()? };
        let found = self.search(move |reader| search::remaining(reader, due, limit)).await?;
        let erase = move |ledger: &mut Ledger| {
            let mut all = found.iter();
            all.try_for_each(|(erasure, found)| ledger.erase(*erasure, found, searched))
        };
        self.commit(erase).await?;
        Ok(true)
    }

    /// Frees the numbers of removed endpoints that nothing refers to; `true` if there were any.
    async fn free_endpoint_numbers(&self, limit: usize) -> Result<bool, StoreError> {
        let retired = self.commit(move |ledger| ledger.next_retired(limit)).await?;
        if retired.is_empty() {
            return Ok(false);
        }
        let position = self.position()?;
        let unused = self.search(move |reader| search::unused(reader, retired)).await?;
        let found = !unused.is_empty();
        if found {
            self.commit(move |ledger| ledger.free_endpoints(&unused, position)).await?;
        }
        Ok(found)
    }

    /// Copies all commits out of the log and empties it, so that it contains no old versions.
    async fn truncate_log(&self) -> Result<(), StoreError> {
        let main = self.open_store()?.folder().main();
        let (sync, ended) = (self.sync().clone(), self.ended().clone());
        let truncate = move || {
            let db = database::open_for_checkpoint(&main)?;
            let truncated = checkpoint::truncate(&db);
            if truncated.as_ref().is_err_and(|error| sync.note(files::MAIN, error)) {
                ended.cancel();
            }
            sync.close(db);
            Ok(truncated.map(drop)?)
        };
        thread::run("store-truncate", truncate).await
    }
}
