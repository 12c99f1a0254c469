//! The tasks contract.

use async_trait::async_trait;
use postrider::{MessageId, TaskId};
use postrider_core::{catalog::Task, delivery::DeliveryId};

use super::{
    MemoryStore,
    state::{DeliveryState, State},
};
use crate::{
    contract::{
        catalog::{Expected, RecordId, RecordKind, RecordRow, StoredRecord, Version},
        tasks::{TaskBatch, TaskEffect, Tasks},
    },
    error::StoreError,
};

#[async_trait]
impl Tasks for MemoryStore {
    async fn open_tasks(
        &self,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let after = after.map(RecordId::from);
        self.transact(|state| {
            let tasks = state.records.values().filter(|(_, row)| {
                let is_behind = after.as_ref().is_none_or(|after| row.id > *after);
                row.kind == RecordKind::Task && !row.is_disabled && is_behind
            });
            let stored = |(version, row): &(Version, RecordRow)| StoredRecord {
                version: *version,
                json: row.json.clone(),
            };
            Ok(tasks.take(limit).map(stored).collect())
        })
    }

    async fn run_batch(&self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        self.transact(|state| state.run_batch(batch))
    }
}

impl State {
    fn run_batch(&mut self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        let TaskBatch { mut task, expected, effect } = batch;
        let expected = Expected::Version(expected);
        let key = (RecordKind::Task, None, RecordId::from(task.id));
        let current = self.records.get(&key).map(|(version, _)| *version);
        expected.next(RecordKind::Task, current)?;
        task.progress.done += self.take_effect(effect);
        let version = self.save_record(RecordRow::of(&task)?, expected)?;
        Ok((task, version))
    }

    /// Returns the number of items that were changed.
    fn take_effect(&mut self, effect: TaskEffect) -> u64 {
        let count = match effect {
            TaskEffect::None => 0,
            TaskEffect::Resend { application, endpoint, messages, at, which } => {
                let resend = |&message: &MessageId| {
                    let id = DeliveryId { endpoint, message };
                    let known = self.deliveries.get(&id).map(|it| it.state);
                    let is_leased = matches!(known, Some(DeliveryState::Leased { .. }));
                    !is_leased
                        && which.includes(known.is_some())
                        && self.resend(application, id, at, which.mode())
                };
                messages.iter().copied().filter(resend).count()
            },
            TaskEffect::Cancel { endpoint, messages, .. } => {
                let ended = messages.into_iter().map(|message| {
                    self.cancel_where(|it| it.delivery.id == DeliveryId { endpoint, message })
                });
                return ended.sum();
            },
            TaskEffect::Expunge { messages, .. } => {
                let expunge = |id: &MessageId| {
                    let has_body = self.messages.get(id).is_some_and(|it| it.body.is_some());
                    has_body && self.expunge(*id)
                };
                messages.iter().copied().filter(expunge).count()
            },
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}
