//! Counters of a sandbox, for metrics.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What a sandbox did since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SandboxCounts {
    /// Workers that live now.
    pub workers: u64,
    /// Runs that wait for a worker now.
    pub queued: u64,
    /// Runs and checks that workers have completed, whatever the result.
    pub runs: u64,
    /// Workers that were started.
    pub started: u64,
    /// Starts of workers that failed.
    pub start_failures: u64,
    /// Workers that were killed because a script ran too long.
    pub killed: u64,
    /// Workers that ended during a run or violated the protocol.
    pub crashed: u64,
    /// Runs that were rejected because too many waited.
    pub rejected: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    workers: AtomicU64,
    pub(crate) runs: AtomicU64,
    started: AtomicU64,
    pub(crate) start_failures: AtomicU64,
    pub(crate) killed: AtomicU64,
    pub(crate) crashed: AtomicU64,
    pub(crate) rejected: AtomicU64,
    /// The workers that live and are processes.
    processes: Mutex<BTreeSet<u32>>,
}

impl Counters {
    /// A worker was started. It is a process if it has an id.
    pub(crate) fn add(&self, process: Option<u32>) {
        increment(&self.workers);
        increment(&self.started);
        self.locked_processes().extend(process);
    }

    /// A worker has ended.
    pub(crate) fn remove(&self, process: Option<u32>) {
        self.workers.fetch_sub(1, Relaxed);
        if let Some(process) = process {
            self.locked_processes().remove(&process);
        }
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        self.locked_processes().iter().copied().collect()
    }

    fn locked_processes(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read(&self, queued: usize) -> SandboxCounts {
        SandboxCounts {
            workers: self.workers.load(Relaxed),
            queued: queued.try_into().unwrap_or(u64::MAX),
            runs: self.runs.load(Relaxed),
            started: self.started.load(Relaxed),
            start_failures: self.start_failures.load(Relaxed),
            killed: self.killed.load(Relaxed),
            crashed: self.crashed.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
        }
    }
}

pub(crate) fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
