//! The tasks contract.

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId, TaskId};
use postrider_core::{catalog::Task, time::Timestamp};

use super::{
    catalog::read,
    ledger::Ledger,
    number::{DeliveryKey, MessageSequence},
    store::EmbeddedStore,
};
use crate::{
    contract::{
        catalog::{Expected, RecordRow, StoredRecord, Version},
        tasks::{ResendWhich, TaskBatch, TaskEffect, Tasks},
    },
    error::StoreError,
};

#[async_trait]
impl Tasks for EmbeddedStore {
    async fn open_tasks(
        &self,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(move |reader| Ok(read::open_tasks(&reader.main, after, limit)?)).await
    }

    async fn run_batch(&self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        self.commit(move |ledger| ledger.run_batch(batch)).await
    }
}

impl Ledger {
    fn run_batch(&mut self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        let TaskBatch { mut task, expected, effect } = batch;
        let expected = Expected::Version(expected);
        let row = RecordRow::of(&task)?;
        // Before the effect, which would be undone otherwise.
        expected.next(row.kind, self.version_of_record(&row)?)?;
        task.progress.done += self.take_effect(effect)?;
        let version = self.save_record(&RecordRow::of(&task)?, expected)?;
        Ok((task, version))
    }

    /// Returns the number of items that were changed.
    fn take_effect(&mut self, effect: TaskEffect) -> Result<u64, StoreError> {
        let mut count = 0;
        match effect {
            TaskEffect::None => {},
            TaskEffect::Resend { application, endpoint, messages, at, which } => {
                for message in messages {
                    let key = (application, endpoint, message);
                    count += u64::from(self.resend_one(key, at, which)?);
                }
            },
            TaskEffect::Cancel { endpoint, messages, .. } => {
                let Some(endpoint) = self.endpoint_number(endpoint) else { return Ok(0) };
                for message in messages {
                    let key = DeliveryKey { message: MessageSequence::of(message), endpoint };
                    if self.is_pending(key)? {
                        self.cancel_delivery(key)?;
                        count += 1;
                    }
                }
            },
            TaskEffect::Expunge { messages, .. } => {
                for message in messages {
                    let has_body = self.owner_of_body(message)?.is_some();
                    if has_body {
                        self.remove_body(MessageSequence::of(message))?;
                    }
                    count += u64::from(has_body);
                }
            },
        }
        Ok(count)
    }

    fn resend_one(
        &mut self,
        (application, endpoint, message): (ApplicationId, EndpointId, MessageId),
        at: Timestamp,
        which: ResendWhich,
    ) -> Result<bool, StoreError> {
        let owner = self.owner_of_body(message)?;
        let known = self.numbers().application_number(application);
        let Some(owner) = owner.filter(|owner| known == Some(*owner)) else { return Ok(false) };
        let position = self.next_position();
        let endpoint = self.numbers_mut().assign_endpoint(endpoint, owner, position);
        let key = DeliveryKey { message: MessageSequence::of(message), endpoint };
        if self.leases.is_leased(key) || !which.includes(self.has_delivery(key)?) {
            return Ok(false);
        }
        self.send_again(key, at, which.mode())?;
        Ok(true)
    }

    fn is_pending(&self, key: DeliveryKey) -> Result<bool, StoreError> {
        Ok(self.leases.unpersisted(key).is_some() || self.find_row(key)?.is_some())
    }
}
