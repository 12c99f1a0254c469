//! Makes submitted messages durable, and sets their deliveries going.

use std::{collections::VecDeque, sync::Arc};

use postrider::EndpointId;
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    message::Message,
    time::Timestamp,
};
use postrider_store::{AppendOutcome, DeliveryOrder, Hold, NewMessage, StoreError, Target};
use tokio::sync::oneshot;

use super::{Driver, Pending, Submit};
use crate::{Entry, SubmitError, metrics};

/// Submissions on their way into the store.
#[derive(Default)]
pub(super) struct Appending {
    pub queue: VecDeque<Box<Submit>>,
    pub pending: Pending<Result<Vec<AppendOutcome>, StoreError>>,
    /// Who waits for the batch under way, in its order.
    batch: Vec<Waiting>,
    began_at: Timestamp,
    /// The tenure's number when the batch was handed over.
    tenure: u64,
}

/// A message of the batch under way.
struct Waiting {
    message: Arc<Message>,
    /// Endpoints whose lanes keep a place for it.
    reserved: Vec<EndpointId>,
    is_spilled: bool,
    reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
}

impl Appending {
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.pending.is_none()
    }
}

impl Driver {
    /// Hands the next batch to the store, if there is one and none is under way.
    pub(super) fn append(&mut self, now: Timestamp) {
        if self.appending.pending.is_some() || self.appending.queue.is_empty() {
            return;
        }
        let limits = self.shared.settings.limits;
        let count = self.appending.queue.len().min(limits.batch);
        let (mut batch, mut bytes) = (Vec::with_capacity(count), 0);
        while batch.len() < limits.batch
            && bytes < limits.batch_bytes
            && let Some(submit) = self.appending.queue.pop_front()
        {
            bytes += size(&submit.message);
            batch.push(self.place(*submit, now));
        }
        self.shared.metrics.append_size.observe(metrics::count(batch.len()));
        self.appending.began_at = now;
        self.appending.tenure = self.tenure.epoch;
        let store = Arc::clone(&self.shared.store);
        self.appending.pending = Some(Box::pin(async move { store.append(batch).await }));
    }

    /// Decides for each delivery of a message whether we hold it or the store does.
    fn place(&mut self, submit: Submit, now: Timestamp) -> NewMessage {
        let Submit { message, entry, targets: endpoints, idempotency, reply } = submit;
        let lease_until = now + self.shared.settings.limits.lease;
        let mut reserved = Vec::with_capacity(endpoints.len());
        let mut targets = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let is_held = message.deliver_at.is_none()
                && !self.is_stopping
                && self.is_tenured(now)
                && self.ensure_lane(&entry, endpoint)
                && self.dispatcher.reserve(endpoint, now);
            let turn = self.turn_of(&entry, endpoint, &message);
            let hold = if is_held {
                reserved.push(endpoint);
                Hold::Leased(lease_until)
            } else {
                Hold::Free(message.deliver_at.unwrap_or(now))
            };
            targets.push(Target { endpoint, hold, order: turn });
        }
        let is_spilled = reserved.len() < targets.len();
        let waiting = Waiting { message: Arc::clone(&message), reserved, is_spilled, reply };
        self.appending.batch.push(waiting);
        NewMessage { message, targets, idempotency }
    }

    /// How a new delivery stands to others, by what its lane goes by, or would.
    fn turn_of(&self, entry: &Entry, endpoint: EndpointId, message: &Message) -> DeliveryOrder {
        let of_lane = self.routes.get(endpoint).filter(|_| self.dispatcher.has_open_lane(endpoint));
        let endpoint = of_lane
            .map(|route| &route.endpoint)
            .or_else(|| entry.endpoints.iter().find(|it| it.id == endpoint));
        endpoint.map_or(DeliveryOrder::Any, |endpoint| {
            self.shared.delivery_order(endpoint, message.deliver_at)
        })
    }

    /// Answers everybody of the batch, and hands its deliveries to their lanes.
    pub(super) fn appended(&mut self, result: Result<Vec<AppendOutcome>, StoreError>) {
        let now = self.shared.clock.now();
        self.keep_tenure();
        let batch = std::mem::take(&mut self.appending.batch);
        let duration = now.since(self.appending.began_at);
        self.shared.metrics.append_duration.observe(duration.as_secs_f64());
        match result {
            Ok(appended) => {
                debug_assert_eq!(appended.len(), batch.len());
                for (waiting, appended) in batch.into_iter().zip(appended) {
                    self.accepted(waiting, appended, now);
                }
            },
            Err(error) => {
                self.shared.store_failed("append", &error);
                let error = Arc::new(error);
                for waiting in batch {
                    self.unreserve(&waiting.reserved);
                    // Whoever submitted may have gone.
                    drop(waiting.reply.send(Err(SubmitError::Store(Arc::clone(&error)))));
                }
            },
        }
    }

    fn accepted(&mut self, waiting: Waiting, appended: AppendOutcome, now: Timestamp) {
        match appended {
            AppendOutcome::New => {
                self.shared.metrics.messages.inc();
                for &endpoint in &waiting.reserved {
                    self.fill(endpoint, &waiting.message, now);
                }
                if waiting.is_spilled {
                    self.claiming.due(waiting.message.deliver_at.unwrap_or(now));
                }
            },
            AppendOutcome::Duplicate(_) | AppendOutcome::EventIdTaken(_) => {
                self.unreserve(&waiting.reserved)
            },
        }
        // Whoever submitted may have gone; the message is accepted all the same.
        drop(waiting.reply.send(Ok(appended)));
    }

    fn fill(&mut self, endpoint: EndpointId, message: &Arc<Message>, now: Timestamp) {
        let id = DeliveryId { endpoint, message: message.id };
        let delivery = Delivery::first(id, message.application);
        let bytes = size(message);
        if self.appending.tenure != self.tenure.epoch {
            self.dispatcher.unreserve(endpoint);
            self.lose(1);
        // Its endpoint was disabled or removed meanwhile: the store knows what follows.
        } else if !self.dispatcher.fill(delivery, Arc::clone(message), bytes, now) {
            self.returned.push((delivery, now));
        }
    }

    fn unreserve(&mut self, endpoints: &[EndpointId]) {
        for &endpoint in endpoints {
            self.dispatcher.unreserve(endpoint);
        }
    }
}

/// What a message takes in memory, roughly.
pub(super) fn size(message: &Message) -> usize {
    message.body.as_ref().map_or(0, bytes::Bytes::len) + 512
}
