//! The thread that a sandbox's workers belong to.
//!
//! The kernel kills a worker when the thread that started it ends, so the thread has to outlive
//! the workers. A thread of its own also makes runs independent of the caller's runtime.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{Builder, JoinHandle},
};

use tokio::sync::watch;

use crate::pool::Pool;

/// Starts the thread with the first run.
#[derive(Debug)]
pub(crate) struct Host {
    state: Mutex<HostState>,
    /// True when there is no thread, or it has stopped all workers.
    ended: watch::Sender<bool>,
}

/// Reports the end of the thread when it is dropped, even if the thread panics or never starts.
#[derive(Debug)]
struct Ended(watch::Sender<bool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

#[derive(Debug)]
enum HostState {
    NotStarted,
    Started(JoinHandle<()>),
    Stopped,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(HostState::NotStarted), ended: watch::Sender::new(true) }
    }

    /// Starts the thread, unless it was started or the host was stopped.
    pub(crate) fn start(&self, pool: &Arc<Pool>) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, HostState::NotStarted) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let pool = Arc::clone(pool);
            self.ended.send_replace(false);
            let ended = Ended(self.ended.clone());
            let thread = Builder::new().name("sandbox".to_owned()).spawn(move || {
                runtime.block_on(pool.run());
                drop(runtime);
                drop(ended);
            })?;
            *state = HostState::Started(thread);
        }
        Ok(())
    }

    /// Waits for the end of the thread, after the pool was stopped.
    pub(crate) async fn join(&self) {
        let previous = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, HostState::Stopped)
        };
        let mut ended = self.ended.subscribe();
        // Fails only if the sender is gone, and this is its owner.
        drop(ended.wait_for(|ended| *ended).await);
        if let HostState::Started(thread) = previous {
            // It has nothing left to do. A panic of it was reported when it happened.
            drop(thread.join());
        }
    }
}
