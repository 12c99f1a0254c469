//! The folder as the source or the target of a copy.

mod count;
mod cursor;
mod export;
mod import;
mod polling;

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use postrider_core::pace::Pace;

use super::{files::MAIN, folder::Purpose, options::Options, store::EmbeddedStore};
use crate::{
    error::StoreError,
    transfer::{
        Chunk, ChunkKind, Cursor, ExportPage, Progress, RecordCounts, TargetState,
        TransferOpenError, TransferStore,
    },
};

/// A lost index is rebuilt without pauses.
const REBUILD_PACE: Pace = Pace { size: 20_000, pause: Duration::ZERO };

/// A data folder that is open for a copy and for nothing else.
#[derive(Debug)]
pub struct EmbeddedTransferStore {
    store: EmbeddedStore,
    identity: u64,
}

impl EmbeddedTransferStore {
    /// Opens the folder of an installation, to copy from it.
    pub fn source(path: &Path, options: &Options) -> Result<Self, TransferOpenError> {
        if !path.join(MAIN).exists() {
            return Err(TransferOpenError::Missing);
        }
        Self::target(path, options)
    }

    /// Opens a folder to copy to, which is created if there is none.
    pub fn target(path: &Path, options: &Options) -> Result<Self, TransferOpenError> {
        // Nothing else needs the machine, and nothing can be copied before it is done.
        let options = &Options { rebuild_pace: Some(REBUILD_PACE), ..options.clone() };
        let (store, origin) = EmbeddedStore::open_for(Purpose::Copy, path, options)?;
        Ok(Self { store, identity: origin.cast_unsigned() })
    }

    /// Makes everything durable, and unlocks the folder.
    pub fn close(self) {
        self.store.shut();
    }
}

#[async_trait]
impl TransferStore for EmbeddedTransferStore {
    async fn identity(&self) -> Result<u64, StoreError> {
        Ok(self.identity)
    }

    async fn mark(&self) -> Result<Option<u64>, StoreError> {
        self.store.commit(|ledger| ledger.copy_mark()).await
    }

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        self.store.commit(move |ledger| ledger.set_copy_mark(copy)).await
    }

    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError> {
        let after = after.clone();
        self.store.index_complete().await?;
        self.store
            .search(move |reader| match after.kind {
                ChunkKind::Applications => export::applications(reader, &after, limit),
                ChunkKind::Endpoints => export::endpoints(reader, &after, limit),
                ChunkKind::EventTypes => export::event_types(reader, &after, limit),
                ChunkKind::Sources => export::sources(reader, &after, limit),
                ChunkKind::Connectors => export::connectors(reader, &after, limit),
                ChunkKind::Consumers => export::consumers(reader, &after, limit),
                ChunkKind::Partitions => export::partitions(reader, &after, limit),
                ChunkKind::DeadLetters => export::dead_letters(reader, &after, limit),
                ChunkKind::ApiKeys => export::api_keys(reader, &after, limit),
                ChunkKind::TokenPolicies => export::token_policies(reader, &after, limit),
                ChunkKind::AuditLog => export::audit_log(reader, &after, limit),
                ChunkKind::Tasks => export::tasks(reader, &after, limit),
                ChunkKind::Messages => export::messages(reader, &after, limit),
                ChunkKind::PollLogs => polling::logs(reader, &after, limit),
                ChunkKind::PollEntries => polling::entries(reader, &after, limit),
                ChunkKind::Recoveries => export::recoveries(reader, &after, limit),
                ChunkKind::CompletedKeys | ChunkKind::End => {
                    export::completed_keys(reader, &after, limit)
                },
            })
            .await
    }

    async fn target_state(&self) -> Result<TargetState, StoreError> {
        let found = self.store.commit(|ledger| ledger.copy_progress()).await?;
        if let Some(progress) = found {
            return Ok(TargetState::Unfinished(progress));
        }
        let is_empty = self.record_counts().await? == RecordCounts::default();
        Ok(if is_empty { TargetState::Empty } else { TargetState::Occupied })
    }

    /// Ignores `before`: the folder is locked, so no other copy can have written to it.
    async fn import(
        &self,
        chunk: Chunk,
        _before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        self.store.commit(move |ledger| ledger.import(&chunk, after)).await
    }

    async fn record_counts(&self) -> Result<RecordCounts, StoreError> {
        self.store.index_complete().await?;
        let index = self.store.open_store()?.folder().index();
        self.store.search(move |reader| count::record_counts(reader, &index)).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.store.commit(|ledger| ledger.end_copy()).await
    }
}
