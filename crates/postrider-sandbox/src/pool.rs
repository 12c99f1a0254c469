//! Carries out runs that wait, each on a worker that may serve its owner.

use std::{
    os::unix::process::ExitStatusExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    connection::{Connection, NoReply},
    counts::{Counters, increment},
    idle::{IdleWorkers, Taken},
    options::SandboxOptions,
    queue::{Queue, QueueLimits},
    reply::Reply,
    run::{RunError, RunErrorKind},
};

/// How long a worker may serve further runs of its owner while other owners wait. Their turn would
/// mean a new process, which costs as much as many runs.
const BURST: Duration = Duration::from_millis(20);

/// Runs that wait, and the workers that carry them out.
#[derive(Debug)]
pub(crate) struct Pool {
    options: SandboxOptions,
    queue: Mutex<Queue<Job>>,
    /// A run may have become possible.
    wake: Notify,
    idle: IdleWorkers,
    /// A worker that was started in advance may be gone.
    wanted: Notify,
    stopped: CancellationToken,
    counters: Arc<Counters>,
}

/// A run that waits, and where its result goes.
#[derive(Debug)]
pub(crate) struct Job {
    /// The whole frame.
    pub(crate) request: Vec<u8>,
    /// Whether the worker may serve the owner again.
    pub(crate) keeps_worker: bool,
    /// Not by the clock of a runtime, because the caller and the pool have different ones.
    pub(crate) queued_at: Instant,
    pub(crate) result: oneshot::Sender<JobResult>,
}

/// The worker's reply as it is, for the caller to read, or why there is none.
pub(crate) type JobResult = Result<Vec<u8>, RunError>;

/// The worker of a run; none if it has ended or was not started yet.
type Worker = Option<Connection>;

impl Pool {
    pub(crate) fn new(options: SandboxOptions) -> Self {
        let workers = options.workers.max(1);
        let limits = QueueLimits {
            runs: options.queued,
            bytes: options.queued_bytes,
            per_owner: (workers - 1).max(1),
        };
        Self {
            queue: Mutex::new(Queue::new(limits)),
            wake: Notify::new(),
            idle: IdleWorkers::new(options.isolation, workers),
            wanted: Notify::new(),
            stopped: CancellationToken::new(),
            counters: Arc::default(),
            options,
        }
    }

    pub(crate) const fn options(&self) -> &SandboxOptions {
        &self.options
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue().len()
    }

    /// Adds a run to the queue.
    pub(crate) fn submit(&self, owner: u128, job: Job) -> Result<(), RunError> {
        let pushed = {
            let mut queue = self.queue();
            // Under the lock, so that nothing is added after the queue was emptied.
            if self.stopped.is_cancelled() {
                return Err(stopped());
            }
            queue.push(owner, job.request.len(), job)
        };
        pushed.map_err(|_| {
            increment(&self.counters.rejected);
            RunError::new(RunErrorKind::Busy, "too many scripts wait to be run; try again later")
        })?;
        self.wake.notify_one();
        Ok(())
    }

    /// Rejects all runs that wait, and lets [`Self::run`] return.
    pub(crate) fn stop(&self) {
        let waiting = {
            let mut queue = self.queue();
            self.stopped.cancel();
            queue.clear()
        };
        for job in waiting {
            respond(job, Err(stopped()));
        }
    }

    /// Carries out runs until the pool is stopped, and then stops all workers.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        for _ in 0..self.options.workers.max(1) {
            let pool = Arc::clone(&self);
            tasks.spawn(async move { pool.carry_out_all().await });
        }
        let pool = Arc::clone(&self);
        tasks.spawn(async move { pool.keep_warm().await });
        while let Some(ended) = tasks.join_next().await {
            // With fewer workers, or none, runs would wait without an end.
            if ended.is_err() {
                self.stop();
            }
        }
        stop_all(self.idle.take_all()).await;
    }

    async fn carry_out_all(&self) {
        while let Some((owner, job)) = self.next().await {
            let taken = self.idle.take(owner);
            self.wanted.notify_one();
            let worker = self.serve(owner, job, taken).await;
            self.idle.put_back(owner, worker);
            self.queue().finish(owner);
            // The owner may have been the only one with waiting runs.
            self.wake.notify_one();
        }
    }

    /// The next run; none if the pool is stopped.
    async fn next(&self) -> Option<(u128, Job)> {
        loop {
            if self.stopped.is_cancelled() {
                return None;
            }
            let (taken, is_empty) = {
                let mut queue = self.queue();
                (queue.take(), queue.len() == 0)
            };
            if let Some((owner, job)) = taken {
                if !is_empty {
                    // One permit can represent several runs.
                    self.wake.notify_one();
                }
                return Some((owner, job));
            }
            tokio::select! {
                () = self.wake.notified() => {},
                () = self.stopped.cancelled() => return None,
            }
        }
    }

    /// Carries out a run, and others of the same owner while the burst lasts.
    async fn serve(&self, owner: u128, first: Job, taken: Taken) -> Worker {
        let started_at = clock::now();
        let Taken { connection, superfluous } = taken;
        let mut worker = connection;
        stop_all(superfluous).await;
        let mut next = Some(first);
        while let Some(job) = next {
            worker = self.carry_out(job, worker).await;
            let goes_on = started_at.elapsed() < BURST && !self.stopped.is_cancelled();
            next = goes_on.then(|| self.queue().take_another(owner)).flatten();
        }
        worker
    }

    async fn carry_out(&self, job: Job, worker: Worker) -> Worker {
        if job.result.is_closed() {
            return worker;
        }
        if job.queued_at.elapsed() > self.options.wait {
            increment(&self.counters.rejected);
            let message = format!("no worker was free within {:?}", self.options.wait);
            respond(job, Err(RunError::new(RunErrorKind::Busy, message)));
            return worker;
        }
        let connection = match worker {
            Some(connection) => connection,
            None => match self.start().await {
                Ok(connection) => connection,
                Err(error) => {
                    respond(job, Err(error));
                    return None;
                },
            },
        };
        let (result, worker) = self.exchange(&job, connection).await;
        increment(&self.counters.runs);
        respond(job, result);
        worker
    }

    async fn exchange(&self, job: &Job, mut connection: Connection) -> (JobResult, Worker) {
        let exchanged = connection.exchange(&job.request, self.options.kill_after).await;
        match exchanged.map(|content| (state_after(&content), content)) {
            Ok((WorkerState::Good, content)) if job.keeps_worker => (Ok(content), Some(connection)),
            Ok((WorkerState::Good | WorkerState::Exhausted, content)) => {
                connection.stop().await;
                (Ok(content), None)
            },
            Err(NoReply::Timeout) => {
                increment(&self.counters.killed);
                connection.stop().await;
                let most = self.options.kill_after;
                let message = format!("the script was stopped because it ran longer than {most:?}");
                (Err(RunError::new(RunErrorKind::Timeout, message)), None)
            },
            Ok((WorkerState::Invalid, _)) | Err(NoReply::Broken) => {
                increment(&self.counters.crashed);
                let signal = connection.stop().await.and_then(|status| status.signal());
                (Err(crashed(signal)), None)
            },
        }
    }

    async fn start(&self) -> Result<Connection, RunError> {
        let started = Connection::start(&self.options, &self.counters, &self.stopped).await;
        started.map_err(|problem| {
            if self.stopped.is_cancelled() {
                return stopped();
            }
            increment(&self.counters.start_failures);
            let message = format!("scripts cannot be run: {problem}");
            RunError::new(RunErrorKind::Unavailable, message)
        })
    }

    /// Starts workers in advance, whenever one was taken.
    async fn keep_warm(&self) {
        loop {
            tokio::select! {
                () = self.wanted.notified() => {},
                () = self.stopped.cancelled() => return,
            }
            while self.idle.unused() < self.options.warm {
                // The run that needs a worker will report the reason.
                let Ok(connection) = self.start().await else { break };
                self.idle.add_unused(connection);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Job>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reply says about the worker that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WorkerState {
    Good,
    /// The script used up what it may use. The engine's least tested paths led here.
    Exhausted,
    /// The worker violates the protocol.
    Invalid,
}

fn state_after(content: &[u8]) -> WorkerState {
    match Reply::decode(content) {
        Ok(Reply::Returned { .. }) => WorkerState::Good,
        Ok(Reply::Failed(error)) => match error.kind {
            RunErrorKind::Timeout | RunErrorKind::OutOfMemory | RunErrorKind::StackOverflow => {
                WorkerState::Exhausted
            },
            RunErrorKind::Syntax
            | RunErrorKind::NoHandler
            | RunErrorKind::Thrown
            | RunErrorKind::OutputTooLarge
            | RunErrorKind::NotJson
            | RunErrorKind::Crashed
            | RunErrorKind::Busy
            | RunErrorKind::Unavailable => WorkerState::Good,
        },
        Ok(Reply::Ready | Reply::Refused(_)) | Err(_) => WorkerState::Invalid,
    }
}

fn respond(job: Job, result: JobResult) {
    // The caller may have given up meanwhile.
    drop(job.result.send(result));
}

async fn stop_all(connections: Vec<Connection>) {
    for connection in connections {
        connection.stop().await;
    }
}

fn stopped() -> RunError {
    RunError::new(RunErrorKind::Unavailable, "scripts cannot be run: the sandbox was stopped")
}

/// The error of a worker that ended, or was ended because of what it sent.
pub(crate) fn crashed(signal: Option<i32>) -> RunError {
    // What the worker was stopped with explains nothing.
    let signal = signal.filter(|number| *number != libc::SIGKILL);
    let signal = signal.map_or_else(String::new, |number| format!(" (signal {number})"));
    let message = format!("the script's process ended unexpectedly{signal}");
    RunError::new(RunErrorKind::Crashed, message)
}
