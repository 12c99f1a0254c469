//! Retention, erasure, re-encryption, sizes, and the end of a store.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider::{DeadLetterId, MessageId, TaskId};
use postrider_core::time::Timestamp;

use super::{MemoryStore, node::lock, state::State};
use crate::{
    contract::{
        catalog::{
            RecordId, RecordKind, RecordRow, Version,
            record::{Record, decode},
        },
        maintenance::{Maintenance, Retention, Rewrite, RewritePage, RewritePosition, StoreSize},
        tasks::TASK_RETENTION,
    },
    error::StoreError,
};

/// A node that still knew a removed application may accept messages for it within this time.
const LATE: Duration = Duration::from_secs(60);

#[async_trait]
impl Maintenance for MemoryStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        self.transact(|state| {
            state.expire(now, retention);
            Ok(false)
        })
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        self.transact(|state| Ok(state.erase(now, limit)))
    }

    /// All values are one page.
    async fn rewrite(
        &self,
        _position: RewritePosition,
        _limit: usize,
        rewrite: Arc<dyn Rewrite>,
    ) -> Result<RewritePage, StoreError> {
        let replaced = self.transact(|state| state.rewrite(&*rewrite))?;
        Ok(RewritePage { replaced, next: None })
    }

    /// There is nothing on disk that could be copied.
    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("a store in memory has no backup".into()))
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        self.transact(|state| Ok(state.size()))
    }

    async fn close(&self) -> Result<(), StoreError> {
        let epoch = self.lease().epoch;
        self.transact(|state| {
            state.nodes.leave(epoch);
            state.free_orphans();
            Ok(())
        })?;
        *lock(&self.node.is_closed) = true;
        Ok(())
    }
}

impl State {
    fn expire(&mut self, now: Timestamp, retention: Retention) {
        let outlived: Vec<_> = self
            .messages
            .values()
            .filter(|it| it.body.is_some() && it.body_until <= now)
            .map(|it| it.id)
            .collect();
        for id in outlived {
            self.expunge(id);
        }
        let old = |millis: u64, keep| Timestamp::from_millis(millis) + keep <= now;
        self.cancel_paused(|id| old(id.millis(), retention.rows));
        let pending: Vec<_> = self
            .deliveries
            .values()
            .filter(|it| it.state.is_pending())
            .map(|it| it.delivery.id.message)
            .collect();
        self.messages.retain(|id, _| pending.contains(id) || !old(id.millis(), retention.rows));
        let Self { messages, deliveries, attempts, event_ids, digests, .. } = self;
        attempts.retain(|id, it| {
            !old(id.millis(), retention.rows) && messages.contains_key(&it.delivery.message)
        });
        deliveries.retain(|id, _| messages.contains_key(&id.message));
        event_ids.retain(|_, id| messages.contains_key(id));
        digests.retain(|_, id| !old(id.millis(), retention.digests));
        self.records.retain(|(kind, _, id), (_, row)| match (kind, id) {
            (RecordKind::DeadLetter, RecordId::Uuid(id)) => {
                !old(DeadLetterId::from_u128(*id).millis(), retention.rows)
            },
            (RecordKind::Task, RecordId::Uuid(id)) => {
                !row.is_disabled || !old(TaskId::from_u128(*id).millis(), TASK_RETENTION)
            },
            _ => true,
        });
        self.expire_logs(|id| old(id.millis(), retention.rows));
        self.rejections.retain(|(_, id), _| !old(id.millis(), retention.rejections));
        self.audit_log.retain(|id, _| !old(id.millis(), retention.audit_log));
        self.reservations.retain(|_, reserved| {
            reserved.response.as_ref().is_none_or(|(_, at)| *at + retention.idempotency > now)
        });
    }

    /// Cancels the waiting deliveries of these messages to disabled endpoints.
    fn cancel_paused(&mut self, touched: impl Fn(MessageId) -> bool) {
        let paused = self.paused_endpoints();
        self.cancel_where(|delivery| {
            let id = delivery.delivery.id;
            let waits = delivery.state.waits_until().is_some();
            waits && paused.contains(&id.endpoint) && touched(id.message)
        });
    }

    /// Erases up to `limit` messages of a removed application; `true` if one was due.
    fn erase(&mut self, now: Timestamp, limit: usize) -> bool {
        let due = self.erasures.iter().find(|(_, due_at)| **due_at <= now);
        let Some((&application, &due_at)) = due else { return false };
        if self.record(RecordKind::Application, application.as_u128()).is_some() {
            self.erasures.remove(&application);
            return true;
        }
        let of = self.messages.values().filter(|it| it.application == application);
        let gone: HashSet<_> = of.map(|it| it.id).take(limit).collect();
        if gone.is_empty() {
            if due_at > Timestamp::from_millis(0) {
                self.erasures.remove(&application);
                self.rollups.retain(|key| key.subject.application() != Some(application));
            } else {
                self.erasures.insert(application, now + LATE);
            }
            return true;
        }
        self.cancel_where(|delivery| gone.contains(&delivery.delivery.id.message));
        self.messages.retain(|id, _| !gone.contains(id));
        self.deliveries.retain(|id, _| !gone.contains(&id.message));
        self.attempts.retain(|_, it| !gone.contains(&it.delivery.message));
        self.event_ids.retain(|_, id| !gone.contains(id));
        self.digests.retain(|_, id| !gone.contains(id));
        true
    }

    fn size(&self) -> StoreSize {
        let bodies = self.messages.values().filter_map(|it| it.body.as_ref());
        StoreSize {
            waiting: self.deliveries.values().filter(|it| it.state.waits_until().is_some()).count()
                as u64,
            oldest_due: self.offered().map(|(due_at, _)| due_at).min(),
            bytes: bodies.map(|body| body.len() as u64).sum(),
            ..StoreSize::default()
        }
    }

    fn rewrite(&mut self, rewrite: &dyn Rewrite) -> Result<u64, StoreError> {
        let mut count = 0;
        for (version, row) in self.records.values_mut() {
            let is_new = match row.kind {
                RecordKind::Endpoint => replace(row, |it| rewrite.endpoint(it))?,
                RecordKind::Source => replace(row, |it| rewrite.source(it))?,
                RecordKind::Consumer => replace(row, |it| rewrite.consumer(it))?,
                RecordKind::Application
                | RecordKind::EventType
                | RecordKind::Partitions
                | RecordKind::DeadLetter
                | RecordKind::ApiKey
                | RecordKind::ApiKeyUse
                | RecordKind::TokenPolicy
                | RecordKind::Task
                | RecordKind::Connector
                | RecordKind::SchemaReport => false,
            };
            if is_new {
                *version = Version(version.0 + 1);
                count += 1;
            }
        }
        for (key, reserved) in &mut self.reservations {
            let Some((response, _)) = &mut reserved.response else { continue };
            if let Some(new) = rewrite.response(*key, response) {
                *response = new;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Replaces the record if there is a new one; `true` if there was.
fn replace<R: Record>(
    row: &mut RecordRow,
    rewrite: impl FnOnce(&R) -> Option<R>,
) -> Result<bool, StoreError> {
    let Some(new) = rewrite(&decode(&row.json)?) else { return Ok(false) };
    *row = RecordRow::of(&new)?;
    Ok(true)
}
