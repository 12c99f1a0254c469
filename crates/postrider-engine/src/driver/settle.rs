//! Writes settlements to the store, with the operational messages that they cause.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use postrider_core::{
    dispatch::{Input, SettlementBatch},
    time::Timestamp,
};
use postrider_store::{SettleBatch, Store, StoreError};

use super::{in_flight::InFlight, lanes::Dispatcher};
use crate::{
    components::Components,
    directory::Route,
    metrics::{self, Metrics},
    operational::OperationalMessages,
    store_errors::StoreErrors,
};

/// A batch, and whether the store wrote it.
pub(super) type SettleResult = (Arc<SettleBatch>, Result<(), StoreError>);

/// Writes settlements; one batch at a time.
#[derive(Debug)]
pub(super) struct Settler {
    store: Arc<dyn Store>,
    operational: Arc<OperationalMessages>,
    metrics: Arc<Metrics>,
    errors: Arc<StoreErrors>,
    in_flight: InFlight<SettleResult>,
    /// The batch that the store did not write. It is shared, so that writing it again copies
    /// nothing.
    failed: Option<Arc<SettleBatch>>,
    began_at: Timestamp,
}

impl Settler {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            store: Arc::clone(&components.store),
            operational: Arc::clone(&components.operational),
            metrics: Arc::clone(&components.metrics),
            errors: Arc::clone(&components.errors),
            in_flight: InFlight::default(),
            failed: None,
            began_at: Timestamp::default(),
        }
    }

    pub(super) fn start(&mut self, batch: SettlementBatch<Route>, now: Timestamp) {
        let SettlementBatch { settlements, notices } = batch;
        self.metrics.settle_size.observe(metrics::count(settlements.len()));
        let batch = SettleBatch { settlements, messages: Vec::new() };
        if notices.is_empty() {
            return self.write(Arc::new(batch), now);
        }
        self.began_at = now;
        let (store, operational) = (Arc::clone(&self.store), Arc::clone(&self.operational));
        self.in_flight.start(async move {
            let messages = operational.write(&notices).await;
            let batch = Arc::new(SettleBatch { messages, ..batch });
            let result = store.settle(Arc::clone(&batch)).await;
            (batch, result)
        });
    }

    /// Writes the batch that failed again.
    pub(super) fn retry(&mut self, now: Timestamp) {
        let batch = self.failed.take().expect("only a batch that failed is retried");
        self.write(batch, now);
    }

    fn write(&mut self, batch: Arc<SettleBatch>, now: Timestamp) {
        self.began_at = now;
        let store = Arc::clone(&self.store);
        self.in_flight.start(async move {
            let result = store.settle(Arc::clone(&batch)).await;
            (batch, result)
        });
    }

    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<SettleResult> {
        self.in_flight.poll(ctx)
    }

    pub(super) fn finish(
        &mut self,
        (batch, result): SettleResult,
        dispatcher: &mut Dispatcher,
        now: Timestamp,
    ) {
        let duration = now.since(self.began_at);
        self.metrics.settle_duration.observe(duration.as_secs_f64());
        if let Err(error) = result {
            self.errors.report("settle", &error);
            self.failed = Some(batch);
            return dispatcher.handle(Input::SettleFailed, now);
        }
        let has_messages = !batch.messages.is_empty();
        let settlements = &batch.settlements;
        dispatcher.handle(Input::Settled { settlements, has_messages }, now);
    }
}
