//! Threads of the store, whose end is noticed.

use std::{io, thread};

use tokio_util::sync::CancellationToken;

/// Starts a thread with this name; `ended` is cancelled when it ends, by a panic too.
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
