//! Background tasks: each batch takes effect together with the record of the task.
//!
//! The tasks themselves are records of the catalog; see [`Records`](crate::Records).

use std::{fmt, time::Duration};

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId, TaskId};
use postrider_core::{catalog::Task, delivery::ResendMode, time::Timestamp};

use crate::{
    contract::catalog::{StoredRecord, Version, record::decode},
    error::StoreError,
};

/// How long a task that has ended is kept, from its start.
pub const TASK_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// One batch of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskBatch {
    /// The task as it is after the batch, except for the number of items that the batch changes.
    pub task: Task,
    /// The version that the stored task must have.
    pub expected: Version,
    pub effect: TaskEffect,
}

/// What a batch does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEffect {
    /// Nothing, except that the task is saved.
    None,
    /// Makes deliveries due, as [`Deliveries::resend`](crate::Deliveries::resend) does. Messages
    /// that are unknown or have lost their body are skipped.
    Resend {
        application: ApplicationId,
        endpoint: EndpointId,
        messages: Vec<MessageId>,
        at: Timestamp,
        which: ResendWhich,
    },
    /// Cancels pending deliveries, leased or not.
    Cancel { application: ApplicationId, endpoint: EndpointId, messages: Vec<MessageId> },
    /// Removes bodies, which cancels pending deliveries. Counts the messages that had one.
    Expunge { application: ApplicationId, messages: Vec<MessageId> },
}

/// Which deliveries of the messages are made due, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendWhich {
    /// Those that exist. A leased delivery stays unchanged.
    Existing(ResendMode),
    /// Those that never existed; they get the whole retry schedule.
    Missing,
}

/// Carries out background tasks.
#[async_trait]
pub trait Tasks: Send + Sync + fmt::Debug + 'static {
    /// Lists the tasks of all organizations that have not ended, in the order of their ids: at
    /// most `limit`, after this one.
    async fn open_tasks(
        &self,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// Carries out a batch and saves the task, in one transaction. Adds the number of items that
    /// were changed to the task's progress, and returns the task as it was saved.
    ///
    /// Fails with [`StoreError::VersionMismatch`], and has no effect, if the task does not have
    /// the expected version: it was cancelled, or another node runs it.
    async fn run_batch(&self, batch: TaskBatch) -> Result<(Task, Version), StoreError>;
}

impl StoredRecord {
    /// The task in the record, with its version.
    pub fn task(&self) -> Result<(Task, Version), StoreError> {
        Ok((decode(&self.json)?, self.version))
    }
}

impl ResendWhich {
    /// The mode of the resend.
    pub(crate) const fn mode(self) -> ResendMode {
        match self {
            Self::Existing(mode) => mode,
            Self::Missing => ResendMode::Retry,
        }
    }

    /// Whether a delivery that exists, or not, is made due.
    pub(crate) fn includes(self, exists: bool) -> bool {
        exists == matches!(self, Self::Existing(_))
    }
}
