//! The idempotency contract. Which keys are in use is known in memory only: after a restart no
//! request is under way.

use async_trait::async_trait;
use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{ledger::Ledger, store::EmbeddedStore};
use crate::{
    contract::idempotency::{Idempotency, KeyReservation},
    error::StoreError,
};

#[async_trait]
impl Idempotency for EmbeddedStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        _now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        self.commit(move |ledger| ledger.reserve_key(key, fingerprint)).await
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.complete_key(key, response.as_deref(), now)).await
    }
}

/// A completed key.
pub(super) struct StoredResponse<'a> {
    pub(super) key: [u8; 32],
    pub(super) fingerprint: [u8; 32],
    pub(super) response: &'a [u8],
    pub(super) completed_at: Timestamp,
}

const FIND_RESPONSE: &str = "SELECT fingerprint, response FROM reservations WHERE key = ?1";

impl Ledger {
    fn reserve_key(
        &mut self,
        key: [u8; 32],
        fingerprint: [u8; 32],
    ) -> Result<KeyReservation, StoreError> {
        // The caller has made sure that the other request has ended, so the key becomes its own
        // together with the fingerprint.
        if self.leases.reservation(&key).is_some() {
            self.leases.set_reservation(key, Some(fingerprint));
            return Ok(KeyReservation::InProgress);
        }
        let known = self
            .db
            .prepare_cached(FIND_RESPONSE)?
            .query_row([key], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?)))
            .optional()?;
        Ok(match known {
            Some((known, response)) if known == fingerprint => KeyReservation::Completed(response),
            Some(_) => KeyReservation::FingerprintMismatch,
            None => {
                self.leases.set_reservation(key, Some(fingerprint));
                KeyReservation::Acquired
            },
        })
    }

    fn complete_key(
        &mut self,
        key: [u8; 32],
        response: Option<&[u8]>,
        completed_at: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(fingerprint) = self.leases.reservation(&key) else { return Ok(()) };
        self.leases.set_reservation(key, None);
        response.map_or(Ok(()), |response| {
            self.store_response(&StoredResponse { key, fingerprint, response, completed_at })
        })
    }
}

const STORE_RESPONSE: &str =
    "INSERT OR REPLACE INTO reservations (key, fingerprint, response, answered_at)
    VALUES (?1, ?2, ?3, ?4)";

impl Ledger {
    pub(super) fn store_response(&self, stored: &StoredResponse<'_>) -> Result<(), StoreError> {
        let StoredResponse { key, fingerprint, response, completed_at } = stored;
        let values = params![key, fingerprint, response, completed_at.as_millis()];
        self.db.prepare_cached(STORE_RESPONSE)?.execute(values)?;
        Ok(())
    }
}
