//! How a sandbox runs scripts, and within which limits.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// How a [`Sandbox`](crate::Sandbox) works. [`SandboxOptions::new`] has good values for all but
/// the first.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// How a worker is started.
    pub launch: Launch,
    /// Most workers that run scripts or are kept for the owner that they served last. With more
    /// than one, an owner has at most all but one of them at a time.
    pub workers: usize,
    /// Workers in addition to `workers` that are started before they are needed, because a start
    /// takes milliseconds. They begin after the first run.
    pub warm: usize,
    /// Most runs that wait for a worker; beyond it [`RunErrorKind::Busy`](crate::RunErrorKind).
    /// One owner holds at most half of the space that is left.
    pub queued: usize,
    /// Most bytes of scripts and arguments of runs that wait, shared by the same rule.
    pub queued_bytes: usize,
    /// Longest wait for a worker; a run that waited longer is rejected as `Busy`.
    pub wait: Duration,
    /// Whether a worker may serve several owners, one after the other.
    pub isolation: Isolation,
    /// Longest start of a worker.
    pub start_within: Duration,
    /// CPU time after which a script is interrupted.
    pub interrupt_after: Duration,
    /// Time after which a worker that has not responded is killed. Some built-in functions cannot
    /// be interrupted.
    pub kill_after: Duration,
    /// Most memory for the values of a script.
    pub heap_bytes: usize,
    /// Most native stack that a script may use.
    pub stack_bytes: usize,
    /// Largest returned value, as JSON.
    pub output_bytes: usize,
    /// Most output of `console`; the rest is cut off.
    pub console_bytes: usize,
    /// Runs scripts although the platform cannot confine workers.
    pub allow_unconfined: bool,
}

impl SandboxOptions {
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            workers: 2,
            warm: 1,
            queued: 1024,
            queued_bytes: 64 << 20,
            wait: Duration::from_secs(10),
            isolation: Isolation::Process,
            start_within: Duration::from_secs(10),
            interrupt_after: Duration::from_millis(100),
            kill_after: Duration::from_millis(250),
            heap_bytes: 16 << 20,
            stack_bytes: 256 << 10,
            output_bytes: 1 << 20,
            console_bytes: 16 << 10,
            allow_unconfined: false,
        }
    }

    /// What a worker has to know.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            interrupt_after: self.interrupt_after,
            heap_bytes: self.heap_bytes,
            stack_bytes: self.stack_bytes,
            output_bytes: self.output_bytes,
            console_bytes: self.console_bytes,
            confined: match self.launch {
                Launch::Program { .. } if self.allow_unconfined => Confined::IfPossible,
                Launch::Program { .. } => Confined::Required,
                #[cfg(any(test, feature = "testing"))]
                Launch::Thread => Confined::Never,
            },
        }
    }
}

/// How a worker is started.
#[derive(Clone, Debug)]
pub enum Launch {
    /// A program that calls [`worker`](fn@crate::worker), with these arguments and without the
    /// environment of this process.
    Program { path: PathBuf, arguments: Vec<OsString> },
    /// A thread of this process, without any confinement: only for tests of other crates.
    #[cfg(any(test, feature = "testing"))]
    Thread,
}

/// The argument that makes the `postrider` binary a worker.
pub const WORKER_COMMAND: &str = "sandbox-worker";

impl Launch {
    /// Starts this program again with [`WORKER_COMMAND`] as its only argument.
    pub fn this_program() -> Self {
        // Names the running program even after its file was replaced by another version.
        let path = PathBuf::from("/proc/self/exe");
        Self::Program { path, arguments: vec![WORKER_COMMAND.into()] }
    }
}

/// What separates the scripts of two owners. Each run has a JavaScript runtime of its own in both
/// cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// A process serves one owner only. A script that exploits a fault of the JavaScript engine
    /// finds only data of its owner.
    Process,
    /// A process serves any owner. Faster if many owners take turns, because no process has to be
    /// started for each of them.
    Runtime,
}

/// The limits that a worker enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) interrupt_after: Duration,
    pub(crate) heap_bytes: usize,
    pub(crate) stack_bytes: usize,
    pub(crate) output_bytes: usize,
    pub(crate) console_bytes: usize,
    pub(crate) confined: Confined,
}

/// Whether a worker locks itself down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Confined {
    Required,
    IfPossible,
    Never,
}
