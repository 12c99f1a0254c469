//! Persisting leases that have no row, and moving the low-water mark behind them.

use super::Ledger;
use crate::{
    embedded::{
        number::{DeliveryKey, MessageSequence},
        state,
    },
    error::StoreError,
};

impl Ledger {
    /// Persists the leases that kept the low-water mark back for too long, and moves it.
    pub(super) fn advance_low_water(&mut self) -> Result<(), StoreError> {
        let end = self.end_of_messages()?;
        let before = self.low_water.step(end);
        self.persist_before(before)?;
        self.move_low_water()
    }

    /// Moves the low-water mark as far as unpersisted leases allow.
    pub(in crate::embedded) fn move_low_water(&mut self) -> Result<(), StoreError> {
        match self.leases.oldest_unpersisted() {
            Some(oldest) => self.store_low_water(oldest),
            None => self.move_low_water_to_end(),
        }
    }

    /// Moves the low-water mark behind all messages. Every pending delivery must have a row.
    pub(in crate::embedded) fn move_low_water_to_end(&mut self) -> Result<(), StoreError> {
        // After the newest messages were removed, the end is before the mark.
        let end = self.end_of_messages()?;
        self.store_low_water(end.max(self.low_water.current()))
    }

    /// Persists all leases before the store closes, so that the next startup has nothing to
    /// look for.
    pub(in crate::embedded) fn persist_before_close(&mut self) {
        let persisted = self
            .begin()
            .and_then(|()| self.attempt(Self::persist_all))
            .and_then(|()| self.commit().map(drop));
        if let Err(error) = persisted {
            // Nothing is lost: the next startup looks for them.
            tracing::warn!(error = &error as &dyn std::error::Error, "final flush failed");
        }
    }

    fn persist_all(&mut self) -> Result<(), StoreError> {
        self.persist_before(MessageSequence::MAX)?;
        self.move_low_water_to_end()
    }

    /// Gives rows to the unpersisted leases of messages before this one.
    fn persist_before(&mut self, before: MessageSequence) -> Result<(), StoreError> {
        let old: Vec<DeliveryKey> = self
            .leases
            .all_unpersisted()
            .map(|(key, _)| key)
            .take_while(|key| key.message < before)
            .collect();
        old.into_iter().try_for_each(|key| self.persist_lease(key))
    }
}

const FORGET_ENDED: &str = "DELETE FROM ended WHERE message < ?1";

impl Ledger {
    pub(super) fn store_low_water(&mut self, mark: MessageSequence) -> Result<(), StoreError> {
        if mark == self.low_water.current() {
            return Ok(());
        }
        state::set(&self.db, state::LOW_WATER, &mark)?;
        self.db.prepare_cached(FORGET_ENDED)?.execute([mark])?;
        self.low_water.set(mark);
        Ok(())
    }
}
