//! Sending deliveries again by hand.

use postrider::ApplicationId;
use postrider_core::{
    delivery::{Delivery, DeliveryId, ResendMode},
    time::Timestamp,
};

use crate::memory::state::{DeliveryState, State, StoredDelivery};

impl State {
    pub(in crate::memory) fn resend(
        &mut self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> bool {
        let message = self.messages.get(&id.message);
        if message.is_none_or(|it| it.application != application || it.body.is_none()) {
            return false;
        }
        let known = self.deliveries.get(&id);
        if known.is_some_and(|it| matches!(it.state, DeliveryState::Leased { .. })) {
            return true;
        }
        let attempts = known.map_or(0, |it| it.attempts);
        let due_at = known.and_then(|it| it.state.waits_until());
        let delivery = known.map_or(Delivery::first(id, application), |it| it.delivery);
        let delivery = delivery.resent(mode, due_at);
        let in_order = false;
        self.put(StoredDelivery {
            delivery,
            attempts,
            in_order,
            state: DeliveryState::Waiting(at),
        });
        true
    }
}
