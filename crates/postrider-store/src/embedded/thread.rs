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
