//! Appending messages.

use postrider_core::{
    delivery::{Delivery, DeliveryId, DeliveryOrder},
    message::Message,
    time::Timestamp,
};

use crate::{
    contract::deliveries::{AppendOutcome, Hold, NewMessage},
    memory::state::{DeliveryState, State, StoredDelivery},
};

impl State {
    pub(in crate::memory) fn append(&mut self, new: NewMessage) -> AppendOutcome {
        let NewMessage { message, targets, idempotency } = new;
        if let Some(&known) = idempotency.and_then(|digest| self.digests.get(&digest)) {
            return AppendOutcome::Duplicate(known);
        }
        if self.messages.contains_key(&message.id) {
            return AppendOutcome::New;
        }
        if let Some(event_id) = message.event_id.clone() {
            let key = (message.application, event_id);
            if let Some(&taken) = self.event_ids.get(&key) {
                return AppendOutcome::EventIdTaken(taken);
            }
            self.event_ids.insert(key, message.id);
        }
        if let Some(digest) = idempotency {
            self.digests.insert(digest, message.id);
        }
        self.count_message(&message, targets.is_empty());
        for target in targets {
            let id = DeliveryId { endpoint: target.endpoint, message: message.id };
            let delivery = Delivery::first(id, message.application);
            let state = match target.hold {
                Hold::Free(due_at) => DeliveryState::Waiting(due_at),
                Hold::Leased(until) => DeliveryState::Leased { due_at: first_due(&message), until },
            };
            let in_order = target.order == DeliveryOrder::InOrder;
            self.put(StoredDelivery { delivery, attempts: 0, in_order, state });
        }
        self.messages.insert(message.id, message);
        AppendOutcome::New
    }
}

/// When a new delivery of the message is due.
fn first_due(message: &Message) -> Timestamp {
    message.deliver_at.unwrap_or_default().max(message.created_at())
}
