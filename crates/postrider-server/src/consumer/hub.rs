//! What the API and the tasks of consumers share: clients, states, and the signal of a change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use postrider::{ConsumerId, api::QueueKind};
use postrider_core::time::Timestamp;
use postrider_engine::QueueConnector;
use tokio::sync::Notify;

use super::state::{Snapshot, State};
use crate::metrics::ConsumerMetrics;

/// What the API and the tasks of consumers share.
#[derive(Debug)]
pub(crate) struct ConsumerHub {
    connectors: HashMap<QueueKind, Arc<dyn QueueConnector>>,
    metrics: ConsumerMetrics,
    states: Mutex<HashMap<ConsumerId, Arc<State>>>,
    pub(super) changed: Notify,
}

impl ConsumerHub {
    pub(crate) fn new(
        queues: Vec<(QueueKind, Arc<dyn QueueConnector>)>,
        metrics: ConsumerMetrics,
    ) -> Self {
        Self {
            connectors: queues.into_iter().collect(),
            metrics,
            states: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The client of a kind of queue, if this build has it.
    pub(crate) fn connector(&self, kind: QueueKind) -> Option<&Arc<dyn QueueConnector>> {
        self.connectors.get(&kind)
    }

    /// Has to be called after a consumer was changed in the store.
    pub(crate) fn notify(&self) {
        self.changed.notify_one();
    }

    /// What a consumer is doing on this node, if its task runs.
    pub(crate) fn snapshot(&self, id: ConsumerId) -> Option<Snapshot> {
        self.lock().get(&id).map(|state| state.snapshot())
    }

    /// The state of a consumer, which is kept when its task starts again.
    pub(super) fn state(&self, id: ConsumerId, now: Timestamp) -> Arc<State> {
        let create = || Arc::new(State::new(id, &self.metrics, now));
        Arc::clone(self.lock().entry(id).or_insert_with(create))
    }

    /// Forgets the states of all other consumers: they are disabled or were removed.
    pub(super) fn retain(&self, is_kept: impl Fn(ConsumerId) -> bool) {
        self.lock().retain(|&id, _| {
            let is_kept = is_kept(id);
            if !is_kept {
                self.metrics.remove(&id.to_string());
            }
            is_kept
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConsumerId, Arc<State>>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
