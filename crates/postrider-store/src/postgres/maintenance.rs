//! Maintenance: expiry, erasure, rewriting, sizes, and the end of the store.

mod backup;
pub(super) mod erase;
pub(super) mod expire;
mod rewrite;
pub(super) mod size;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use super::store::{PostgresStore, with_session};
use crate::{
    contract::maintenance::{
        Maintenance, Retention, Rewrite, RewritePage, RewritePosition, StoreSize,
    },
    error::{StoreError, StoreFailure},
};

#[async_trait]
impl Maintenance for PostgresStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| expire::expire(
            session,
            &self.node.expiry,
            now,
            retention
        ))
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        with_session!(self.node.api_session(), |session| erase::erase(session, now, limit))
    }

    async fn rewrite(
        &self,
        position: RewritePosition,
        limit: usize,
        rewrite: Arc<dyn Rewrite>,
    ) -> Result<RewritePage, StoreError> {
        with_session!(self.node.api_session(), |session| rewrite::page(
            session,
            position.clone(),
            limit,
            &*rewrite
        ))
    }

    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        backup::backup()
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        let size: Result<StoreSize, StoreError> =
            with_session!(self.node.api_session(), |session| size::size(session, &self.node.size));
        Ok(StoreSize { connections: Some(self.node.connections()), ..size? })
    }

    async fn failed(&self) -> StoreFailure {
        self.node.stopped.cancelled().await;
        self.node.outdated.get().map_or(StoreFailure::Thread, |it| StoreFailure::Outdated(*it))
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.leave().await;
        Ok(())
    }
}
