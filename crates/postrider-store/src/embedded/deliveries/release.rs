//! Releasing: returning leased deliveries to the store.

use postrider_core::{delivery::Delivery, time::Timestamp};

use crate::{
    embedded::{
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{DeliveryKey, MessageSequence},
        pending_row::PendingRow,
    },
    error::StoreError,
};

/// Deliveries that one transaction returns, at most: other commits wait for it.
pub(super) const STEP: usize = 1_000;

impl Ledger {
    pub(in crate::embedded) fn release(
        &mut self,
        deliveries: &[(Delivery, Timestamp)],
    ) -> Result<(), StoreError> {
        for (delivery, at) in deliveries {
            let id = delivery.id;
            let Some(endpoint) = self.endpoint_number(id.endpoint) else { continue };
            let message = MessageSequence::of(id.message);
            self.release_one(DeliveryKey { message, endpoint }, *at)?;
        }
        Ok(())
    }

    fn release_one(&mut self, key: DeliveryKey, at: Timestamp) -> Result<(), StoreError> {
        if let Some(mut lease) = self.leases.unpersisted(key) {
            lease.due_at = at;
            self.persist_unleased(key, lease)?;
        } else if let Some(lease) = self.leases.row(key) {
            // The position of the row depends on when it is due.
            self.delete_row(lease.row)?;
            self.insert_available(PendingRow { due_at: at, ..lease.row })?;
        } else {
            return Ok(());
        }
        let (DeliveryKey { message, endpoint }, to) = (key, DeliveryState::Pending(at));
        self.changes.push(Change::DeliveryMoved { message, endpoint, to });
        Ok(())
    }
}
