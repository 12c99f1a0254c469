//! Starting threads.

use std::{io, thread};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;

/// Starts a named thread; `ended` is cancelled when it ends, also by a panic.
pub(super) fn start(
    name: &str,
    ended: &CancellationToken,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let guard = ended.clone().drop_guard();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _guard = guard;
        work();
    })
}

/// The niceness of work that no caller waits for: it gets a quarter of a processor that a thread
/// without it wants, too.
const BEHIND: i32 = 5;

/// Starts a thread for work that no caller waits for. Where processors are scarce, the threads that
/// commit and serve come first.
pub(super) fn start_behind(
    name: &str,
    ended: &CancellationToken,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    start(name, ended, || {
        // On Linux, this is the priority of the thread alone.
        if let Err(error) = rustix::process::nice(BEHIND) {
            tracing::debug!(%error, "the priority of a thread cannot be lowered");
        }
        work();
    })
}

/// Runs work on a thread of its own, which ends with it.
pub(super) async fn run(
    name: &str,
    work: impl FnOnce() -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let (result_tx, result_rx) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || drop(result_tx.send(work())))
        .map_err(|error| StoreError::Unavailable(error.into()))?;
    result_rx.await.map_err(|error| StoreError::Unavailable(error.into()))?
}
