//! Writes what was collected in memory in the background: a task that runs while there is something
//! to write, with a pause between two writes.

use std::{error::Error, mem, sync::Arc, time::Duration};

use postrider_store::StoreError;
use tokio_util::task::TaskTracker;

/// Whether a task writes, and takes what is added meanwhile afterwards. It belongs to what is
/// collected and changes under the same lock, so that nothing is left behind when the task ends.
#[derive(Debug, Default)]
pub(crate) struct WriterState {
    is_running: bool,
}

impl WriterState {
    /// Has to be called after something was added; whether a task has to be started.
    pub(crate) const fn begin(&mut self) -> bool {
        !mem::replace(&mut self.is_running, true)
    }

    /// Whether the task has ended, because nothing is left.
    pub(crate) const fn has_ended(&mut self, is_empty: bool) -> bool {
        self.is_running = !is_empty;
        is_empty
    }
}

/// What is collected in memory until it is written.
pub(crate) trait Collected: Send + Sync + 'static {
    /// The end of "… are not stored".
    const NAME: &'static str;

    /// Time between the first addition and its write.
    const FIRST_PAUSE: Duration;

    /// Time between two writes.
    const PAUSE: Duration;

    /// Whether nothing is left to write; see [`WriterState::has_ended`].
    fn has_ended(&self) -> bool;

    /// Writes what is there.
    fn write(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Starts a task that writes until nothing is left.
pub(crate) fn start(tasks: &TaskTracker, collected: Arc<impl Collected>) {
    tasks.spawn(run(collected));
}

async fn run<C: Collected>(collected: Arc<C>) {
    let mut pause = C::FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        if collected.has_ended() {
            return;
        }
        if let Err(error) = collected.write().await {
            tracing::debug!(error = &error as &dyn Error, "{} are not stored", C::NAME);
        }
        pause = C::PAUSE;
    }
}
