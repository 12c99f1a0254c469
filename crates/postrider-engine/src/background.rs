//! Runs background tasks: each in small batches, one batch after another.
//!
//! A batch takes effect in the transaction that saves how far the task is. So a task that is
//! interrupted at any point continues on any node, and does nothing twice. One node runs a task,
//! as long as it renews its lease with each batch.

mod aggregate;
mod batch;
mod scope;
mod select;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use postrider_core::{
    catalog::{Task, TaskLease, TaskState, TaskTotal, Work},
    pace::Pace,
    time::Timestamp,
};
use postrider_store::{Expected, Records, Store, StoreError, TaskBatch, TaskEffect, Version};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::batch::Preview;
pub(crate) use self::batch::preview;
use self::batch::{Batch, Failure};
use crate::{clock::Clock, components::Components, router::Router, store_errors::StoreErrors};

/// Most tasks that a node runs at the same time. They take turns, so more of them put no more load
/// on the store.
const MAX_TASKS: usize = 16;

/// Tasks that one search looks at.
const SEARCHED: usize = 256;

/// How long a node may miss to renew its lease on a task before another takes it over.
const LEASE: Duration = Duration::from_secs(30);

/// Time between two searches for tasks if none is requested.
const INTERVAL: Duration = Duration::from_secs(1);

/// Runs the background tasks.
#[derive(Debug)]
pub struct BackgroundRunner {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    router: Router,
    errors: Arc<StoreErrors>,
    requested: Arc<Notify>,
    /// Identifies this process in leases.
    holder: u64,
}

/// A task that this node runs.
#[derive(Debug)]
struct RunningTask {
    task: Task,
    version: Version,
    pace: Pace,
    /// Its next batch needs a part of the index that is being rebuilt.
    is_waiting: bool,
}

impl BackgroundRunner {
    /// Tasks are looked for early when `requested` is notified.
    pub(crate) fn new(components: &Components, requested: Arc<Notify>) -> Self {
        Self {
            store: Arc::clone(&components.store),
            clock: Arc::clone(&components.clock),
            router: components.router.clone(),
            errors: Arc::clone(&components.errors),
            requested,
            holder: components.clock.holder(),
        }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut running = VecDeque::new();
        let mut searched_at = None::<Instant>;
        while !stop.is_cancelled() {
            let is_due = searched_at.is_none_or(|at| at.elapsed() >= INTERVAL);
            let result = self.turn(&mut running, is_due).await;
            if is_due {
                searched_at = Some(Instant::now());
            }
            let pause = result.unwrap_or_else(|error| {
                self.errors.report("background tasks", &error);
                // Their leases are still ours, so the next search finds them.
                running.clear();
                INTERVAL
            });
            tokio::select! {
                () = stop.cancelled() => {},
                () = self.requested.notified() => searched_at = None,
                () = tokio::time::sleep(pause) => {},
            }
        }
        for task in running {
            self.release(task).await;
        }
    }

    /// Searches if it is time to, and runs one batch. Returns the pause until the next turn.
    async fn turn(
        &self,
        running: &mut VecDeque<RunningTask>,
        searches: bool,
    ) -> Result<Duration, StoreError> {
        if searches {
            self.search(running).await?;
        }
        let Some(task) = running.pop_front() else { return Ok(INTERVAL) };
        let started_at = Instant::now();
        let Some(mut task) = self.step(task).await? else { return Ok(Duration::ZERO) };
        task.pace = task.pace.after(started_at.elapsed());
        let pause = if task.is_waiting { INTERVAL } else { task.pace.pause };
        running.push_back(task);
        Ok(pause)
    }

    /// Takes tasks that no node runs.
    async fn search(&self, running: &mut VecDeque<RunningTask>) -> Result<(), StoreError> {
        let mut after = None;
        while running.len() < MAX_TASKS {
            let found = self.store.open_tasks(after, SEARCHED).await?;
            let is_last = found.len() < SEARCHED;
            let before = after;
            for record in found {
                // Others run although one cannot be read.
                let Ok((task, version)) = record.task().inspect_err(|error| {
                    self.errors.report("background tasks", error);
                }) else {
                    continue;
                };
                after = Some(task.id);
                let is_known = running.iter().any(|it| it.task.id == task.id);
                if !is_known && running.len() < MAX_TASKS {
                    running.extend(self.take(task, version).await?);
                }
            }
            if is_last || after == before {
                break;
            }
        }
        Ok(())
    }

    /// Takes the lease on a task; `None` if it is not available.
    async fn take(
        &self,
        mut task: Task,
        version: Version,
    ) -> Result<Option<RunningTask>, StoreError> {
        let now = self.clock.now();
        if !task.is_available(self.holder, now, self.store.is_shared()) {
            return Ok(None);
        }
        task.lease = Some(self.lease(now));
        let saved = self.store.save(&task, Expected::Version(version)).await;
        let Some(version) = unless_changed(saved)? else { return Ok(None) };
        tracing::info!(task.id = %task.id, "a background task is run");
        Ok(Some(RunningTask { task, version, pace: Pace::START, is_waiting: false }))
    }

    fn lease(&self, now: Timestamp) -> TaskLease {
        TaskLease { holder: self.holder, until: now + LEASE }
    }

    /// Runs one batch; `None` if the task has ended, or does not belong to this node any more. A task
    /// fails that needs something that is damaged.
    async fn step(&self, running: RunningTask) -> Result<Option<RunningTask>, StoreError> {
        let (mut task, version) = (running.task.clone(), running.version);
        match self.try_step(running).await {
            Err(StoreError::Corrupt { what, .. }) => {
                let reason = format!("a stored {what} is damaged");
                task.end(TaskState::Failed, Some(reason), self.clock.now());
                self.save_ended(task, version).await
            },
            // It needs the index; others may not.
            Err(StoreError::Rebuilding(_)) => {
                Ok(Some(RunningTask { task, version, pace: Pace::START, is_waiting: true }))
            },
            result => result,
        }
    }

    async fn try_step(&self, running: RunningTask) -> Result<Option<RunningTask>, StoreError> {
        let RunningTask { mut task, version, pace, .. } = running;
        let now = self.clock.now();
        if let Some(by) = &task.cancelled_by {
            let reason = format!("it was cancelled by {by}");
            task.end(TaskState::Cancelled, Some(reason), now);
            return self.save_ended(task, version).await;
        }
        if let (None, Work::Resend(resend)) = (task.progress.total, &task.work) {
            let found = preview(&*self.store, &task.organization, resend).await?;
            task.progress.total =
                Some(TaskTotal { count: found.count, is_minimum: found.is_minimum });
        }
        match batch::next(&*self.store, &task, pace.size, now).await {
            Ok(batch) => {
                self.carry_out(RunningTask { task, version, pace, is_waiting: false }, batch).await
            },
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Task(reason)) => {
                task.end(TaskState::Failed, Some(reason.to_owned()), now);
                self.save_ended(task, version).await
            },
        }
    }

    async fn carry_out(
        &self,
        running: RunningTask,
        batch: Batch,
    ) -> Result<Option<RunningTask>, StoreError> {
        let RunningTask { mut task, version, pace, .. } = running;
        let now = self.clock.now();
        task.cursor = batch.cursor;
        task.progress.found += batch.found;
        task.progress.done += batch.counted;
        if let Some(result) = batch.result {
            task.result = result;
        }
        task.updated_at = now;
        task.lease = Some(self.lease(now));
        if batch.is_last {
            task.end(TaskState::Finished, None, now);
            tracing::info!(task.id = %task.id, "a background task has finished");
        }
        let effect = batch.effect.clone();
        let saved = self.store.run_batch(TaskBatch { task, expected: version, effect }).await;
        let Some((task, version)) = unless_changed(saved)? else {
            // It was cancelled, or another node took it over: what is stored tells.
            self.requested.notify_one();
            return Ok(None);
        };
        self.follow(&batch.effect).await;
        Ok((!task.has_ended()).then_some(RunningTask { task, version, pace, is_waiting: false }))
    }

    /// Lets the drivers follow what a batch has done to deliveries.
    async fn follow(&self, effect: &TaskEffect) {
        match effect {
            TaskEffect::None => {},
            TaskEffect::Resend { application, .. } => self.router.wake(*application),
            TaskEffect::Cancel { application, endpoint, messages } => {
                for &message in messages {
                    self.router.forget(*application, message, Some(*endpoint)).await;
                }
            },
            TaskEffect::Expunge { application, messages } => {
                for &message in messages {
                    self.router.forget(*application, message, None).await;
                }
            },
        }
    }

    async fn save_ended(
        &self,
        task: Task,
        version: Version,
    ) -> Result<Option<RunningTask>, StoreError> {
        let reason = task.error.as_deref().unwrap_or_default();
        tracing::info!(task.id = %task.id, reason, "a background task has ended early");
        let saved = self.store.save(&task, Expected::Version(version)).await;
        if unless_changed(saved)?.is_none() {
            self.requested.notify_one();
        }
        Ok(None)
    }

    /// Lets another node continue the task at once.
    async fn release(&self, running: RunningTask) {
        let task = Task { lease: None, ..running.task };
        let saved = self.store.save(&task, Expected::Version(running.version)).await;
        if let Err(error) = saved {
            tracing::debug!(task.id = %task.id, %error, "the lease on a background task ends later");
        }
    }
}

/// `None` if the record was changed meanwhile.
fn unless_changed<T>(saved: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match saved {
        Ok(saved) => Ok(Some(saved)),
        Err(StoreError::VersionMismatch { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
