//! Returning leased deliveries.

use postrider_core::{delivery::Delivery, time::Timestamp};

use crate::memory::state::{DeliveryState, State, StoredDelivery};

impl State {
    /// Only the holder may release a delivery.
    pub(in crate::memory) fn release(&mut self, delivery: &Delivery, at: Timestamp) {
        let Some(&stored) = self.deliveries.get(&delivery.id) else { return };
        let is_leased = matches!(stored.state, DeliveryState::Leased { .. });
        if is_leased && self.nodes.may_move(delivery.id) {
            self.put(StoredDelivery { state: DeliveryState::Waiting(at), ..stored });
        }
    }
}
