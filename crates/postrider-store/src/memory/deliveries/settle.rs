//! Recording attempts.

use postrider_core::{delivery::Settlement, retry::Verdict};

use crate::memory::state::{DeliveryState, State};

impl State {
    pub(in crate::memory) fn settle(&mut self, settlement: &Settlement) {
        if let Some(failing_since) = settlement.failing_since {
            self.set_failing(settlement.delivery.id.endpoint, failing_since);
        }
        let id = settlement.delivery.id;
        let Some(mut delivery) = self.deliveries.get(&id).copied() else { return };
        if self.attempts.contains_key(&settlement.attempt.id) {
            return;
        }
        self.count_attempt(settlement);
        self.attempts.insert(settlement.attempt.id, settlement.attempt.clone());
        delivery.attempts = delivery.attempts.saturating_add(1);
        let same = delivery.delivery.attempt == settlement.delivery.attempt
            && delivery.delivery.trigger == settlement.delivery.trigger;
        let is_ours = self.nodes.may_move(id) || settlement.verdict == Verdict::Delivered;
        if delivery.state.is_pending() && same && is_ours {
            delivery.delivery.reported = settlement.delivery.reported;
            delivery.state = match settlement.verdict {
                Verdict::Delivered => DeliveryState::Delivered,
                Verdict::GiveUp(_) => DeliveryState::Failed,
                Verdict::RetryAt(at) => {
                    delivery.delivery = delivery.delivery.after_failure();
                    DeliveryState::Waiting(at)
                },
            };
        }
        self.put(delivery);
    }
}
