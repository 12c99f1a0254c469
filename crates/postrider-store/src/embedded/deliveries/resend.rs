//! Resending: making a delivery due again at a client's request.

use postrider::ApplicationId;
use postrider_core::{
    delivery::{DeliveryId, ResendMode},
    time::Timestamp,
};

use crate::{
    embedded::{
        cancelled, extras,
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{DeliveryKey, MessageSequence},
        pending_row::PendingRow,
    },
    error::StoreError,
};

impl Ledger {
    pub(in crate::embedded) fn resend(
        &mut self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let owner = self.owner_of_body(id.message)?;
        let known = self.numbers().application_number(application);
        let Some(owner) = owner.filter(|owner| known == Some(*owner)) else { return Ok(false) };
        // The endpoint may be newer than the message and have no number yet.
        let position = self.next_position();
        let endpoint = self.numbers_mut().assign_endpoint(id.endpoint, owner, position);
        let key = DeliveryKey { message: MessageSequence::of(id.message), endpoint };
        // A leased delivery is being sent right now, and stays its holder's.
        if !self.leases.is_leased(key) {
            self.send_again(key, at, mode)?;
        }
        Ok(true)
    }

    /// Makes a delivery that is not leased due at `at`, as requested.
    pub(in crate::embedded) fn send_again(
        &mut self,
        key: DeliveryKey,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<(), StoreError> {
        let requested = match self.find_row(key)? {
            Some(row) => {
                self.delete_row(row)?;
                row.resent(mode, at)
            },
            None => PendingRow::requested(key, mode, at),
        };
        // Without a row that names the endpoint, expiry and lists would miss the delivery.
        if !self.has_delivery(key)? {
            extras::insert(&self.db, key)?;
        }
        cancelled::remove(&self.db, key)?;
        self.insert_available(requested)?;
        let (DeliveryKey { message, endpoint }, to) = (key, DeliveryState::Pending(at));
        self.changes.push(Change::DeliveryMoved { message, endpoint, to });
        Ok(())
    }
}
