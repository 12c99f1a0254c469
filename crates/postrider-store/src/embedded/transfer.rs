//! The folder as one end of a copy.

mod count;
mod export;

use std::path::Path;

use async_trait::async_trait;

use super::{EmbeddedStore, Options, folder, trouble::TRUTH};
use crate::{
    StoreError,
    transfer::{Arrival, Census, Goods, Kind, Part, Place, Progress, Side, SideError},
};

/// A data folder that is open for a copy and for nothing else.
#[derive(Debug)]
pub struct EmbeddedSide {
    store: EmbeddedStore,
    identity: u64,
}

impl EmbeddedSide {
    /// Opens the folder of an installation, to copy from there.
    pub fn source(path: &Path, options: &Options) -> Result<Self, SideError> {
        if !path.join(TRUTH).exists() {
            return Err(SideError::Missing);
        }
        Self::target(path, options)
    }

    /// Opens a folder to copy to, which is created if there is none.
    pub fn target(path: &Path, options: &Options) -> Result<Self, SideError> {
        let (store, origin) = EmbeddedStore::open_for(folder::Use::Copy, path, options)?;
        Ok(Self { store, identity: origin.cast_unsigned() })
    }

    /// Makes everything durable, and lets go of the folder.
    pub fn close(self) {
        self.store.shut();
    }
}

#[async_trait]
impl Side for EmbeddedSide {
    async fn identity(&self) -> Result<u64, StoreError> {
        Ok(self.identity)
    }

    async fn mark(&self) -> Result<Option<u64>, StoreError> {
        self.store.commit(|ledger| ledger.mark()).await
    }

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError> {
        self.store.commit(move |ledger| ledger.set_mark(copy)).await
    }

    async fn export(&self, after: &Place, limit: usize) -> Result<Part, StoreError> {
        let after = after.clone();
        self.store
            .search(move |reader| match after.kind {
                Kind::Applications => export::applications(reader, &after, limit),
                Kind::Endpoints => export::endpoints(reader, &after, limit),
                Kind::EventTypes => export::event_types(reader, &after, limit),
                Kind::Sources => export::sources(reader, &after, limit),
                Kind::Messages => export::messages(reader, &after, limit),
                Kind::Recoveries => export::recoveries(reader, &after, limit),
                Kind::Answers | Kind::End => export::answers(reader, &after, limit),
            })
            .await
    }

    async fn arrival(&self) -> Result<Arrival, StoreError> {
        let found = self.store.commit(|ledger| ledger.copy_progress()).await?;
        if let Some(progress) = found {
            return Ok(Arrival::Unfinished(progress));
        }
        let is_empty = self.census().await? == Census::default();
        Ok(if is_empty { Arrival::Empty } else { Arrival::Occupied })
    }

    /// This process alone has the folder, so nobody else can have written to it `before`.
    async fn import(
        &self,
        goods: Goods,
        _before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError> {
        self.store.commit(move |ledger| ledger.import(&goods, after)).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let index = self.store.rooms()?.folder.index();
        self.store.search(move |reader| count::census(reader, &index)).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.store.commit(|ledger| ledger.end_copy()).await
    }
}
