//! Runs the parts of the engine, and notices one that stops on its own.
//!
//! A part that panics takes what it held in memory with it, and its applications get no
//! deliveries any more. Restarting it within the process would have to reconstruct who holds
//! which delivery; a new process does exactly that from the store. So the owner is told, and
//! ends the process.

use std::{any::Any, io, panic::AssertUnwindSafe, sync::Arc, thread, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Driver, engine::Rooms, engine::Shared};

/// A part of the engine stopped although nothing asked it to.
#[derive(Debug, thiserror::Error)]
#[error("{part} stopped: {reason}")]
pub struct PartStopped {
    part: String,
    reason: String,
}

/// How a part ended: by itself, or with the text of its panic.
type Ended = (String, Result<(), String>);

/// The engine's parts at work.
#[derive(Debug)]
pub struct Running {
    parts: JoinSet<Ended>,
    shared: Arc<Shared>,
}

impl Rooms {
    /// Starts every part: the first driver, the upkeep and the listener on this runtime, the
    /// other drivers on threads of their own. They run until `halt` is cancelled, and the
    /// drivers then take up to `grace` to finish what is under way.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub fn start(self, halt: &CancellationToken, grace: Duration) -> io::Result<Running> {
        let mut parts = JoinSet::new();
        parts.spawn(watched("the upkeep".to_owned(), self.upkeep.run(halt.clone())));
        parts.spawn(watched("the store's listener".to_owned(), self.listener.run(halt.clone())));
        for (index, driver) in self.drivers.into_iter().enumerate() {
            let name = format!("the driver of shard {index}");
            if index == 0 {
                parts.spawn(watched(name, driver.run(halt.clone(), grace)));
            } else {
                parts.spawn(on_thread(index, name, driver, (halt.clone(), grace))?);
            }
        }
        Ok(Running { parts, shared: self.shared })
    }
}

impl Running {
    /// Waits until a part stops on its own; from then on the engine counts as not running.
    pub async fn failure(&mut self) -> PartStopped {
        let Some(ended) = self.parts.join_next().await else { return std::future::pending().await };
        self.shared.has_failed.cancel();
        let (part, result) = ended.expect("the parts' panics are caught");
        let reason = result.err().unwrap_or_else(|| "it ended early".to_owned());
        PartStopped { part, reason }
    }

    /// Waits until every part has ended, after `halt` was cancelled.
    ///
    /// # Errors
    ///
    /// If one of them panicked meanwhile.
    pub async fn end(mut self) -> Result<(), PartStopped> {
        let mut stopped = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            let (part, result) = ended.expect("the parts' panics are caught");
            stopped = stopped.and(result.map_err(|reason| PartStopped { part, reason }));
        }
        stopped
    }
}

async fn watched(name: String, part: impl Future<Output = ()>) -> Ended {
    let ended = AssertUnwindSafe(part).catch_unwind().await;
    (name, ended.map_err(|panic| text_of(&*panic)))
}

/// Runs a driver on a thread with a runtime of its own.
fn on_thread(
    index: usize,
    name: String,
    driver: Driver,
    (halt, grace): (CancellationToken, Duration),
) -> io::Result<impl Future<Output = Ended> + use<>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, is_done) = oneshot::channel();
    let work = watched(name.clone(), driver.run(halt, grace));
    thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        // The receiver lives as long as the other parts.
        done.send(runtime.block_on(work)).ok();
    })?;
    Ok(async move { is_done.await.unwrap_or_else(|_| (name, Err("its thread ended".to_owned()))) })
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}
