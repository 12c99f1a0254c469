//! Runs the engine's tasks, and reports one that stops on its own.
//!
//! A task that panics loses what it held in memory, and its applications get no deliveries any
//! more. Restarting it within the process would have to reconstruct which deliveries it held; a
//! new process does exactly that from the store. So the failure is reported to the owner, which
//! ends the process.

use std::{io, panic::AssertUnwindSafe, thread, time::Duration};

use futures_util::FutureExt;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    alerts::AlertTask, background::BackgroundRunner, driver::Driver, listener::Listener,
    maintenance::MaintenanceTask, panic_text::panic_text, rotation::RotationTask,
};

/// The tasks that have to run for the engine to work.
#[derive(Debug)]
pub struct EngineTasks {
    pub drivers: Vec<Driver>,
    pub maintenance: MaintenanceTask,
    pub background: BackgroundRunner,
    pub listener: Listener,
    pub rotation: RotationTask,
    /// Set it to the result of [`Engine::alert_task`](crate::Engine::alert_task).
    pub alerts: Option<AlertTask>,
    /// Cancelled when one of the tasks stops on its own.
    pub(crate) has_failed: CancellationToken,
}

/// A task of the engine stopped on its own.
#[derive(Debug, thiserror::Error)]
#[error("{task} stopped: {reason}")]
pub struct TaskStopped {
    task: String,
    reason: String,
}

/// A task by name and how it ended: normally, or with the message of its panic.
type Ended = (String, Result<(), String>);

/// The running tasks of an engine.
#[derive(Debug)]
pub struct RunningTasks {
    tasks: JoinSet<Ended>,
    threads: Vec<Handle>,
    has_failed: CancellationToken,
}

impl EngineTasks {
    /// Starts all tasks: the first driver, the maintenance and the listener on this runtime, each
    /// other driver on its own thread. They run until `halt` is cancelled; the drivers then take
    /// up to `grace` to finish the calls in flight.
    ///
    /// # Errors
    ///
    /// If the system cannot start a thread.
    pub fn start(self, halt: &CancellationToken, grace: Duration) -> io::Result<RunningTasks> {
        let (mut tasks, mut threads) = (JoinSet::new(), Vec::new());
        tasks.spawn(watched("the maintenance task".to_owned(), self.maintenance.run(halt.clone())));
        let background = "the runner of background tasks".to_owned();
        tasks.spawn(watched(background, self.background.run(halt.clone())));
        tasks.spawn(watched("the store's listener".to_owned(), self.listener.run(halt.clone())));
        let rotating = self.rotation.run(halt.clone());
        tasks.spawn(watched("the rotation of the main secret".to_owned(), rotating));
        if let Some(alerts) = self.alerts {
            tasks.spawn(watched("the alerts".to_owned(), alerts.run(halt.clone())));
        }
        for (index, driver) in self.drivers.into_iter().enumerate() {
            let name = format!("the driver of shard {index}");
            if index == 0 {
                tasks.spawn(watched(name, driver.run(halt.clone(), grace)));
            } else {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                threads.push(runtime.handle().clone());
                let work = watched(name.clone(), driver.run(halt.clone(), grace));
                tasks.spawn(on_thread(index, name, runtime, work)?);
            }
        }
        Ok(RunningTasks { tasks, threads, has_failed: self.has_failed })
    }
}

impl RunningTasks {
    /// The runtimes of the drivers that have a thread of their own. They run until all drivers have
    /// ended, and may run other tasks in the meantime.
    pub fn threads(&self) -> &[Handle] {
        &self.threads
    }

    /// Waits until a task stops on its own. From then on [`Engine::is_running`] is false.
    ///
    /// [`Engine::is_running`]: crate::Engine::is_running
    pub async fn failure(&mut self) -> TaskStopped {
        let Some(ended) = self.tasks.join_next().await else { return std::future::pending().await };
        self.has_failed.cancel();
        let (task, result) = ended.expect("the panics of tasks are caught");
        let reason = result.err().unwrap_or_else(|| "it ended early".to_owned());
        TaskStopped { task, reason }
    }

    /// Waits until all tasks have ended, after `halt` was cancelled.
    ///
    /// # Errors
    ///
    /// If one of them panicked.
    pub async fn end(mut self) -> Result<(), TaskStopped> {
        let mut stopped = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let (task, result) = ended.expect("the panics of tasks are caught");
            stopped = stopped.and(result.map_err(|reason| TaskStopped { task, reason }));
        }
        stopped
    }
}

async fn watched(name: String, task: impl Future<Output = ()>) -> Ended {
    let ended = AssertUnwindSafe(task).catch_unwind().await;
    (name, ended.map_err(|panic| panic_text(&*panic)))
}

/// Runs the work of a driver on its own thread.
fn on_thread(
    index: usize,
    name: String,
    runtime: Runtime,
    work: impl Future<Output = Ended> + Send + 'static,
) -> io::Result<impl Future<Output = Ended>> {
    let (done, is_done) = oneshot::channel();
    thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        // The receiver lives as long as the other tasks.
        done.send(runtime.block_on(work)).ok();
    })?;
    Ok(async move { is_done.await.unwrap_or_else(|_| (name, Err("its thread ended".to_owned()))) })
}
