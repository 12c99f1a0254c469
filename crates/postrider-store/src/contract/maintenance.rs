//! Retention, erasure, re-encryption, backups, sizes, and the end of a store.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    catalog::{Consumer, Endpoint, Source},
    time::Timestamp,
};

use crate::{
    error::{StoreError, StoreFailure},
    index_rebuild::IndexRebuild,
};

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Dead letters; messages and attempts, from the acceptance of the message. A pending delivery keeps its
    /// message; but if its endpoint is disabled, the delivery is cancelled.
    pub rows: Duration,
    /// Responses of idempotency keys.
    pub idempotency: Duration,
    /// Digests of messages, from the acceptance of the message; see
    /// [`NewMessage::idempotency`](crate::NewMessage::idempotency).
    pub digests: Duration,
    /// Rejections, from their creation.
    pub rejections: Duration,
    /// Entries of the audit log, from their creation.
    pub audit_log: Duration,
}

/// Encrypts stored secrets again. Each method returns the new version of a value, or `None` if
/// the value stays as it is; see [`Maintenance::rewrite`].
pub trait Rewrite: Send + Sync {
    fn endpoint(&self, endpoint: &Endpoint) -> Option<Endpoint>;

    fn source(&self, source: &Source) -> Option<Source>;

    fn consumer(&self, consumer: &Consumer) -> Option<Consumer>;

    /// The response of an idempotency key.
    fn response(&self, key: [u8; 32], response: &[u8]) -> Option<Vec<u8>>;
}

/// Where a walk over all encrypted values goes on. It is opaque: each store has its own order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewritePosition {
    /// The kind of value, as a number.
    pub(crate) kind: usize,
    /// The key of the last value that was shown; empty before the first.
    pub(crate) after: Vec<u8>,
}

impl RewritePosition {
    /// The position behind a page that ended with this key, or the first one of the next kind.
    pub(crate) fn following(self, last: Option<Vec<u8>>, kinds: usize) -> Option<Self> {
        if let Some(after) = last {
            return Some(Self { after, ..self });
        }
        let kind = self.kind + 1;
        (kind < kinds).then(|| Self { kind, after: Vec::new() })
    }
}

/// A part of a walk over all encrypted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewritePage {
    /// Values that were replaced.
    pub replaced: u64,
    pub next: Option<RewritePosition>,
}

/// Sizes for metrics and people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Pending deliveries that are not leased.
    pub waiting: u64,
    /// When the oldest of them fell due; paused deliveries do not count.
    pub oldest_due: Option<Timestamp>,
    pub bytes: u64,
    /// The disk of the data, if this process can know it.
    pub disk: Option<DiskSize>,
    /// Commits that lists and statistics do not show yet, if the store has an index of its own.
    pub index_lag: Option<u64>,
    /// The rebuild of the index, if it is being rebuilt.
    pub index_rebuild: Option<IndexRebuild>,
    /// The connections to the database, if there is one.
    pub connections: Option<ConnectionUse>,
}

/// The space of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskSize {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// The use of a pool of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionUse {
    pub idle: u64,
    pub busy: u64,
    /// Calls that wait for a connection.
    pub waiting: u64,
    pub max: u64,
}

/// Keeps the store small, safe and observable.
#[async_trait]
pub trait Maintenance: Send + Sync + fmt::Debug + 'static {
    /// Removes a bounded amount of what has outlived its retention. Returns `true` if there is
    /// more to remove at once.
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError>;

    /// Erases what is left of removed applications, up to `limit` messages per call: messages
    /// with their event ids, digests, deliveries and attempts. Messages that were accepted while
    /// the application was being removed are erased a minute later. Returns `true` if there is
    /// more to erase at once.
    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError>;

    /// Shows up to `limit` values of one kind to `rewrite`, and replaces those for which it returns
    /// a new version. Begin with the default position and go on with `next` until there is none;
    /// then every endpoint, source, consumer and response of an idempotency key that existed
    /// throughout has been shown. A value that others change meanwhile keeps their change. The
    /// meaning of the values does not change, so deliveries and other nodes are not affected.
    async fn rewrite(
        &self,
        position: RewritePosition,
        limit: usize,
        rewrite: Arc<dyn Rewrite>,
    ) -> Result<RewritePage, StoreError>;

    /// Removes the traces of replaced values from the files that only the store writes. Call it
    /// after the last page.
    async fn forget_replaced(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Writes a consistent copy to a folder, which is created. Other calls may run meanwhile.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;

    async fn size(&self) -> Result<StoreSize, StoreError>;

    /// Fails if new messages would be refused, as far as that is known: with
    /// [`StoreError::Full`] if there is no space for them.
    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns when a part of the store has stopped, because of a panic or because a file cannot
    /// be synced. Nothing that was acknowledged is lost, but the store has to be opened again.
    async fn failed(&self) -> StoreFailure {
        std::future::pending().await
    }

    /// Makes everything durable and ends; later calls fail with [`StoreError::Unavailable`].
    async fn close(&self) -> Result<(), StoreError>;
}
