//! Changing when the first attempts of a message are made.

use postrider::{ApplicationId, MessageId};
use postrider_core::{delivery::Trigger, time::Timestamp};

use crate::{
    embedded::{
        journal::{Change, DeliveryState},
        ledger::Ledger,
        number::{AttemptNumber, DeliveryKey, MessageSequence},
        pending_row::PendingRow,
    },
    error::StoreError,
};

impl Ledger {
    pub(in crate::embedded) fn reschedule(
        &mut self,
        application: ApplicationId,
        id: MessageId,
        deliver_at: Timestamp,
        body_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner = self.owner_of_body(id)?;
        let known = self.numbers().application_number(application);
        if owner.is_none() || owner != known {
            return Ok(false);
        }
        let message = MessageSequence::of(id);
        let mut has_changed = false;
        for endpoint in self.endpoints_pending(message)? {
            has_changed |= self.postpone(DeliveryKey { message, endpoint }, deliver_at)?;
        }
        if has_changed {
            self.replace_schedule(id, deliver_at, body_until)?;
        }
        Ok(has_changed)
    }

    /// Makes a delivery due at `at` if it waits for its first attempt.
    fn postpone(&mut self, key: DeliveryKey, at: Timestamp) -> Result<bool, StoreError> {
        let waits =
            |row: &PendingRow| row.attempt == AttemptNumber(1) && row.trigger == Trigger::Scheduled;
        let row = self.find_row(key)?.filter(waits);
        let Some(row) = row.filter(|_| !self.leases.is_leased(key)) else { return Ok(false) };
        self.delete_row(row)?;
        self.insert_available(PendingRow { due_at: at, ..row })?;
        let (DeliveryKey { message, endpoint }, to) = (key, DeliveryState::Pending(at));
        self.changes.push(Change::DeliveryMoved { message, endpoint, to });
        Ok(true)
    }
}
