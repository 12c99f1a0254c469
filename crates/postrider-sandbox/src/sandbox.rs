//! The handle that other crates hold.

use std::{fmt, sync::Arc};

use tokio::sync::oneshot;

use crate::{
    clock,
    counts::SandboxCounts,
    host::Host,
    options::{Isolation, SandboxOptions},
    pool::{Job, Pool, crashed},
    reply::Reply,
    request::{Request, RunRequest},
    run::{Returned, Run, RunError, RunErrorKind, Script},
    value::{self, Invalid},
};

/// All checks take turns as if they had one owner. They share no process, because their scripts
/// have different owners.
const CHECKS: u128 = 0;

/// Runs scripts in worker processes. Cheap to clone; all clones share the workers.
///
/// Starts workers on demand. The last clone stops them when it is dropped; [`Sandbox::shut_down`]
/// also waits for their end.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    pool: Arc<Pool>,
    host: Host,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.pool.stop();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Sandbox {
    pub fn new(options: SandboxOptions) -> Self {
        Self(Arc::new(Shared { pool: Arc::new(Pool::new(options)), host: Host::new() }))
    }

    /// Calls `handler(argument)` of the script. Never panics; every result is a value.
    ///
    /// Waits at most `wait` for a worker. If the future is dropped, a run that waits is skipped,
    /// and one that has begun ends within its limits.
    pub async fn run(&self, run: Run) -> Result<Returned, RunError> {
        let options = self.0.pool.options();
        if run.argument.len() > options.heap_bytes {
            return Err(RunError::new(
                RunErrorKind::OutOfMemory,
                "the argument of the script is larger than the memory that scripts may use",
            ));
        }
        let script = run.script.code();
        let argument = &run.argument;
        let request = RunRequest { script, read_only: run.read_only.to_vec(), argument };
        let reply = self.exchange(run.owner, &Request::Run(request)).await?;
        returned(&reply, options.output_bytes)
    }

    /// Compiles the script, runs its top level, and checks that it defines a function `handler`.
    pub async fn check(&self, script: Script) -> Result<(), RunError> {
        let reply = self.exchange(CHECKS, &Request::Check { script: script.code() }).await?;
        match Reply::decode(&reply) {
            Ok(Reply::Returned { .. }) => Ok(()),
            Ok(Reply::Failed(error)) => Err(error),
            Ok(Reply::Ready | Reply::Refused(_)) | Err(_) => Err(crashed(None)),
        }
    }

    /// What the sandbox did, for metrics.
    pub fn counts(&self) -> SandboxCounts {
        self.0.pool.counters().read(self.0.pool.queued())
    }

    /// The ids of the worker processes, for diagnosis.
    pub fn processes(&self) -> Vec<u32> {
        self.0.pool.counters().processes()
    }

    /// Stops all workers. Runs that have begun end within their limits; runs that wait and later
    /// ones fail with [`RunErrorKind::Unavailable`].
    pub async fn shut_down(&self) {
        self.0.pool.stop();
        self.0.host.join().await;
    }

    async fn exchange(&self, owner: u128, request: &Request<'_>) -> Result<Vec<u8>, RunError> {
        let unavailable = |problem: &dyn fmt::Display| {
            let message = format!("scripts cannot be run: {problem}");
            RunError::new(RunErrorKind::Unavailable, message)
        };
        self.0.host.start(&self.0.pool).map_err(|error| unavailable(&error))?;
        let (result, received) = oneshot::channel();
        let keeps_worker = match request {
            Request::Check { .. } => self.0.pool.options().isolation == Isolation::Runtime,
            Request::Configure(_) | Request::Run(_) => true,
        };
        let request = request.encode();
        let job = Job { request, keeps_worker, queued_at: clock::now(), result };
        self.0.pool.submit(owner, job)?;
        received.await.unwrap_or_else(|_| Err(unavailable(&"the sandbox has stopped")))
    }
}

/// Reads the reply to a run. It may come from a worker that its script controls.
fn returned(reply: &[u8], output_bytes: usize) -> Result<Returned, RunError> {
    match Reply::decode(reply) {
        Ok(Reply::Returned { console, value }) if value.len() <= output_bytes => {
            let console = console.to_owned();
            match value::validate(value) {
                Ok(value) => Ok(Returned { value, console }),
                Err(Invalid::TooDeep) => {
                    let message = "the returned value is nested too deeply";
                    Err(RunError { console, ..RunError::new(RunErrorKind::NotJson, message) })
                },
                Err(Invalid::NotJson) => Err(crashed(None)),
            }
        },
        Ok(Reply::Failed(error)) => Err(error),
        Ok(Reply::Returned { .. } | Reply::Ready | Reply::Refused(_)) | Err(_) => {
            Err(crashed(None))
        },
    }
}
