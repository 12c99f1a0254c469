//! By what right the driver holds what it holds.
//!
//! While the tenure lasts, nobody else has what we hold. When it has lapsed, others may take
//! it, so no call begins until it is renewed; what waits stays, for mostly nobody took it. When
//! it has another number, others have been told that all of ours is free: what waits is
//! forgotten, and not given back, for it is not ours to give. A call under way ends as it will,
//! and the store knows what its result still counts for.
//!
//! What an append or a claim brings that began under the number before is forgotten too. It is
//! held under that number, and so is freed by whoever next looks for what nobody holds. It is
//! not given back in case the store had seen the new number already: a claim of ours may have
//! taken it again meanwhile, and would lose it. Then the end of its own lease frees it.

use postrider_core::time::Timestamp;

use super::Driver;

impl Driver {
    /// Takes note of the tenure as it is now.
    pub(super) fn keep_tenure(&mut self) {
        let tenure = self.shared.store.node_lease();
        let is_new = tenure.epoch != self.tenure.epoch;
        self.tenure = tenure;
        if is_new {
            let lost = self.dispatcher.drain();
            self.lose(lost.len());
            let now = self.shared.clock.now();
            let given_back = self.returned.drain(..).chain(self.returning.drain(..));
            let given_back = given_back.map(|(delivery, _)| delivery);
            for delivery in given_back.chain(lost) {
                // An order goes on with whatever the store offers now.
                self.dispatcher.settled(delivery.id, now);
            }
            self.claiming.hurry();
        }
    }

    pub(super) fn lose(&self, count: usize) {
        self.shared.metrics.lost_deliveries.inc_by(count as u64);
    }

    /// Whether what is held may be sent, and more be taken.
    pub(super) fn is_tenured(&self, now: Timestamp) -> bool {
        now < self.tenure.valid_until
    }
}
