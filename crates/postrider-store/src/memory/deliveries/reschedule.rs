//! Changing when the first attempts of a message are made.

use postrider::{ApplicationId, MessageId};
use postrider_core::{delivery::Trigger, message::Message, time::Timestamp};

use crate::memory::state::{DeliveryState, State, StoredDelivery};

impl State {
    pub(in crate::memory) fn reschedule(
        &mut self,
        application: ApplicationId,
        id: MessageId,
        deliver_at: Timestamp,
        body_until: Timestamp,
    ) -> bool {
        let Some(message) = self.messages.get(&id) else { return false };
        if message.application != application || message.body.is_none() {
            return false;
        }
        let changed =
            Message { deliver_at: Some(deliver_at), body_until, ..Message::clone(message) };
        let waits = |it: &&StoredDelivery| {
            it.delivery.id.message == id
                && it.delivery.attempt == 1
                && it.delivery.trigger == Trigger::Scheduled
                && matches!(it.state, DeliveryState::Waiting(_))
        };
        let waiting: Vec<_> = self.deliveries.values().filter(waits).copied().collect();
        for delivery in &waiting {
            self.put(StoredDelivery { state: DeliveryState::Waiting(deliver_at), ..*delivery });
        }
        if !waiting.is_empty() {
            self.messages.insert(id, changed.into());
        }
        !waiting.is_empty()
    }
}
