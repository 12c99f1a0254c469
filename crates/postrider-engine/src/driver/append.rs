//! Appends submitted messages to the store, and hands their deliveries to the dispatcher.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use postrider::EndpointId;
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    dispatch::{Input, NewDelivery},
    message::Message,
    time::Timestamp,
};
use postrider_store::{AppendOutcome, Hold, NewMessage, Store, StoreError, Target};
use tokio::sync::oneshot;

use super::{
    in_flight::InFlight,
    lanes::{Dispatcher, LaneConfigurator},
    weight::size_in_memory,
};
use crate::{
    command::Submit,
    components::Components,
    limits::Limits,
    metrics::{self, Metrics},
    store_errors::StoreErrors,
    submission::SubmitError,
};

pub(super) type AppendResult = Result<Vec<AppendOutcome>, StoreError>;

/// Appends messages in batches. While one is in flight, the next one collects.
#[derive(Debug)]
pub(super) struct Appender {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    errors: Arc<StoreErrors>,
    limits: Limits,
    queue: VecDeque<Box<Submit>>,
    in_flight: InFlight<AppendResult>,
    /// The messages of the batch in flight, in its order.
    batch: Vec<AppendedMessage>,
    began_at: Timestamp,
    /// The lease's epoch when the batch was started.
    epoch: u64,
}

/// A message of the batch in flight.
#[derive(Debug)]
struct AppendedMessage {
    message: Arc<Message>,
    /// Endpoints whose lanes have reserved a place.
    reserved: Vec<EndpointId>,
    /// Some of its deliveries go to the store, to be claimed.
    has_overflow: bool,
    /// The lanes that count those.
    counting: Vec<EndpointId>,
    reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
}

impl Appender {
    pub(super) fn new(components: &Components) -> Self {
        Self {
            store: Arc::clone(&components.store),
            metrics: Arc::clone(&components.metrics),
            errors: Arc::clone(&components.errors),
            limits: components.settings.limits,
            queue: VecDeque::new(),
            in_flight: InFlight::default(),
            batch: Vec::new(),
            began_at: Timestamp::default(),
            epoch: 0,
        }
    }

    pub(super) fn push(&mut self, submit: Box<Submit>) {
        self.queue.push_back(submit);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.in_flight.is_some()
    }

    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<AppendResult> {
        self.in_flight.poll(ctx)
    }

    /// Starts the next batch, if there is one and none is in flight.
    pub(super) fn start(
        &mut self,
        dispatcher: &mut Dispatcher,
        lanes: &LaneConfigurator,
        now: Timestamp,
    ) {
        if self.in_flight.is_some() || self.queue.is_empty() {
            return;
        }
        let count = self.queue.len().min(self.limits.batch);
        let (mut batch, mut bytes) = (Vec::with_capacity(count), 0);
        while batch.len() < self.limits.batch
            && bytes < self.limits.batch_bytes
            && let Some(submit) = self.queue.pop_front()
        {
            bytes += size_in_memory(&submit.message);
            batch.push(self.place(*submit, dispatcher, lanes, now));
        }
        self.metrics.append_size.observe(metrics::count(batch.len()));
        self.began_at = now;
        self.epoch = dispatcher.epoch();
        let store = Arc::clone(&self.store);
        self.in_flight.start(async move { store.append(batch).await });
    }

    /// Decides for each delivery of a message whether this node holds it or it goes to the store.
    fn place(
        &mut self,
        submit: Submit,
        dispatcher: &mut Dispatcher,
        lanes: &LaneConfigurator,
        now: Timestamp,
    ) -> NewMessage {
        let Submit { message, entry, targets: endpoints, idempotency, reply } = submit;
        let lease_until = now + self.limits.lease;
        let mut reserved = Vec::with_capacity(endpoints.len());
        let mut targets = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let is_held = message.deliver_at.is_none()
                && dispatcher.may_hold(now)
                && lanes.ensure(dispatcher, &entry, endpoint, now)
                && dispatcher.reserve(endpoint, now);
            let order = lanes.order(dispatcher, &entry, endpoint, &message);
            let hold = if is_held {
                reserved.push(endpoint);
                Hold::Leased(lease_until)
            } else {
                Hold::Free(message.deliver_at.unwrap_or(now))
            };
            targets.push(Target { endpoint, hold, order });
        }
        let has_overflow = reserved.len() < targets.len();
        // No lane counts what it holds: looking for those would cost each message a lookup.
        let stored = targets.iter().filter(|it| matches!(it.hold, Hold::Free(_)));
        let counting = stored.map(|it| it.endpoint);
        let counting = counting.filter(|it| dispatcher.counts_stored(*it)).collect();
        self.batch.push(AppendedMessage {
            message: Arc::clone(&message),
            reserved,
            has_overflow,
            counting,
            reply,
        });
        NewMessage { message, targets, idempotency }
    }

    /// Replies to the callers of the batch, and hands its deliveries to their lanes.
    pub(super) fn finish(
        &mut self,
        result: AppendResult,
        dispatcher: &mut Dispatcher,
        now: Timestamp,
    ) {
        let batch = std::mem::take(&mut self.batch);
        let duration = now.since(self.began_at);
        self.metrics.append_duration.observe(duration.as_secs_f64());
        match result {
            Ok(outcomes) => {
                debug_assert_eq!(outcomes.len(), batch.len());
                for (appended, outcome) in batch.into_iter().zip(outcomes) {
                    self.finish_message(appended, outcome, dispatcher, now);
                }
            },
            Err(error) => {
                self.errors.report("append", &error);
                let error = Arc::new(error);
                for appended in batch {
                    unreserve(dispatcher, &appended.reserved, now);
                    // The caller may have gone.
                    drop(appended.reply.send(Err(SubmitError::Store(Arc::clone(&error)))));
                }
            },
        }
    }

    fn finish_message(
        &self,
        appended: AppendedMessage,
        outcome: AppendOutcome,
        dispatcher: &mut Dispatcher,
        now: Timestamp,
    ) {
        let AppendedMessage { message, reserved, has_overflow, counting, reply } = appended;
        match outcome {
            AppendOutcome::New => {
                self.metrics.messages.inc();
                for &endpoint in &reserved {
                    let new = self.new_delivery(endpoint, &message);
                    dispatcher.handle(Input::Appended(new), now);
                }
                if has_overflow {
                    let due_at = message.deliver_at.unwrap_or(now);
                    dispatcher.handle(Input::DueAt(due_at), now);
                }
                for endpoint in counting {
                    dispatcher.handle(Input::Stored(endpoint), now);
                }
            },
            AppendOutcome::Duplicate(_)
            | AppendOutcome::EventIdTaken(_)
            | AppendOutcome::IdTaken => {
                unreserve(dispatcher, &reserved, now);
            },
        }
        // The caller may have gone; the message is accepted all the same.
        drop(reply.send(Ok(outcome)));
    }

    fn new_delivery(
        &self,
        endpoint: EndpointId,
        message: &Arc<Message>,
    ) -> NewDelivery<Arc<Message>> {
        let id = DeliveryId { endpoint, message: message.id };
        NewDelivery {
            delivery: Delivery::first(id, message.application),
            payload: Arc::clone(message),
            bytes: size_in_memory(message),
            epoch: self.epoch,
        }
    }
}

fn unreserve(dispatcher: &mut Dispatcher, endpoints: &[EndpointId], now: Timestamp) {
    for &endpoint in endpoints {
        dispatcher.handle(Input::NotAppended(endpoint), now);
    }
}
