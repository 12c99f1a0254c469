//! Starts and stops the tasks of consumers, and follows changes.

use std::{collections::HashMap, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use postrider::{ConsumerId, api::ConsumerStatus};
use postrider_core::catalog::Consumer;
use postrider_store::{Records, StoreError};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{context::Context, hub::ConsumerHub, reader::Reader};
use crate::{auth::Principal, operations::handle::Operations};

/// Time between two looks at the stored consumers. Changes over this node are seen at once.
const POLL: Duration = Duration::from_secs(2);

/// Consumers that are read from the store at a time.
const PAGE: usize = 250;

/// Most consumers that one node runs.
const MAX_RUNNING: usize = 1_000;

/// Time until a consumer starts again that stopped because of a panic.
const RESTART_DELAY: Duration = Duration::from_secs(5);

/// How long the tasks may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The consumers of all organizations.
#[derive(Clone, Debug)]
pub struct Consumers {
    operations: Operations,
}

/// The tasks of consumers.
#[derive(Default)]
struct Running {
    /// The consumers as their tasks know them, and how they are stopped.
    consumers: HashMap<ConsumerId, (Consumer, CancellationToken)>,
    /// Each returns its consumer.
    tasks: JoinSet<ConsumerId>,
}

impl Consumers {
    pub(crate) const fn new(operations: Operations) -> Self {
        Self { operations }
    }

    fn hub(&self) -> &ConsumerHub {
        &self.operations.resources().consumers
    }

    /// Runs all enabled consumers until `stop` is cancelled. They then finish what they are doing
    /// and give back the rest.
    pub async fn run(self, stop: CancellationToken) {
        let mut running = Running::default();
        let mut is_reported = false;
        loop {
            match self.stored().await {
                Ok(stored) => {
                    self.follow(&mut running, stored);
                    is_reported = false;
                },
                Err(error) if !is_reported => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the consumers cannot be read; it is tried again");
                    is_reported = true;
                },
                Err(_) => {},
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = running.tasks.join_next() => {
                    running.consumers.remove(&ended.expect("the panics of tasks are caught"));
                },
                () = self.hub().changed.notified() => {},
                () = sleep(POLL) => {},
            }
        }
        running.end().await;
    }

    /// The stored consumers that are enabled.
    async fn stored(&self) -> Result<Vec<Consumer>, StoreError> {
        let store = self.operations.resources().engine.store();
        let (mut enabled, mut after) = (Vec::new(), None);
        loop {
            let page = store.all_consumers(after, PAGE).await?;
            after = page.last().map(|it| it.id);
            let is_last = page.len() < PAGE;
            enabled.extend(page.into_iter().filter(|it| !it.disabled));
            if is_last || enabled.len() >= MAX_RUNNING {
                enabled.truncate(MAX_RUNNING);
                return Ok(enabled);
            }
        }
    }

    /// Starts the consumers that do not run, and stops those that were changed or removed. A
    /// changed one starts again when its task has ended.
    fn follow(&self, running: &mut Running, stored: Vec<Consumer>) {
        let stored: HashMap<_, _> = stored.into_iter().map(|it| (it.id, it)).collect();
        for (id, (known, stop)) in &running.consumers {
            if stored.get(id) != Some(known) {
                stop.cancel();
            }
        }
        let is_known = |id| stored.contains_key(&id) || running.consumers.contains_key(&id);
        self.hub().retain(is_known);
        for (id, consumer) in stored {
            if !running.consumers.contains_key(&id) {
                self.start(running, consumer);
            }
        }
    }

    fn start(&self, running: &mut Running, consumer: Consumer) {
        let (id, stop) = (consumer.id, CancellationToken::new());
        let now = self.operations.resources().engine.clock().now();
        let state = self.hub().state(id, now);
        state.set(ConsumerStatus::Connecting, None, now);
        let organization = consumer.organization.clone();
        let reader = Reader(Context {
            operations: self.operations.clone(),
            consumer: consumer.clone(),
            principal: Principal::installation(organization),
            state,
            stop: stop.clone(),
        });
        running.consumers.insert(id, (consumer, stop));
        running.tasks.spawn(async move {
            if AssertUnwindSafe(reader.run()).catch_unwind().await.is_err() {
                tracing::error!(consumer = %id, "a consumer stopped because of a panic; it starts again");
                sleep(RESTART_DELAY).await;
            }
            id
        });
    }
}

impl Running {
    async fn end(mut self) {
        for (_, stop) in self.consumers.values() {
            stop.cancel();
        }
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, ended).await.is_err() {
            tracing::warn!(
                "some consumers did not stop in time; their messages are received again"
            );
        }
        self.tasks.shutdown().await;
    }
}
