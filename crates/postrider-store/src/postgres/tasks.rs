//! The tasks contract: each batch is one transaction.

pub(super) mod effect;

use async_trait::async_trait;
use postrider::TaskId;
use postrider_core::catalog::Task;

use self::effect::take_effect;
use super::{
    catalog,
    error::DatabaseError,
    session::Session,
    store::{PostgresStore, with_session},
};
use crate::{
    contract::{
        catalog::{Expected, RecordRow, StoredRecord, Version},
        tasks::{TaskBatch, Tasks},
    },
    error::StoreError,
};

#[async_trait]
impl Tasks for PostgresStore {
    async fn open_tasks(
        &self,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        with_session!(self.node.api_session(), |session| catalog::open_tasks(session, after, limit))
    }

    async fn run_batch(&self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        with_session!(self.node.api_session(), |session| run_batch(session, &batch))
    }
}

/// Locks the task, so that its version stays.
pub(super) const LOCK: &str = "SELECT version FROM task WHERE id = $1 FOR UPDATE";

async fn run_batch(
    session: &mut Session,
    batch: &TaskBatch,
) -> Result<(Task, Version), DatabaseError> {
    session.begin().await?;
    match run(session, batch).await {
        Ok(saved) => {
            session.commit().await?;
            Ok(saved)
        },
        Err(error @ DatabaseError::VersionMismatch { .. }) => {
            session.rollback().await?;
            Err(error)
        },
        Err(error) => Err(error),
    }
}

async fn run(session: &mut Session, batch: &TaskBatch) -> Result<(Task, Version), DatabaseError> {
    let mut task = batch.task.clone();
    let corrupt = |error| DatabaseError::corrupt("background task", error);
    let row = RecordRow::of(&task).map_err(corrupt)?;
    let locked = session.query_opt(LOCK, &[&super::value::Uuid::from(task.id)]).await?;
    let current = locked.as_ref().map(catalog::version).transpose()?;
    if current != Some(batch.expected) {
        return Err(DatabaseError::VersionMismatch { what: row.kind.name() });
    }
    task.progress.done += take_effect(session, &batch.effect).await?;
    let row = RecordRow::of(&task).map_err(corrupt)?;
    let version = catalog::write(session, &row, Expected::Version(batch.expected)).await?;
    Ok((task, version))
}
