//! Idempotency keys. Who runs is known in memory alone: after a restart nobody does.

use postrider_core::time::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::{KeyReservation, StoreError};

const FIND_ANSWER: &str = "SELECT fingerprint, response FROM reservations WHERE key = ?1";

pub(super) const INSERT_ANSWER: &str =
    "INSERT OR REPLACE INTO reservations (key, fingerprint, response, answered_at)
    VALUES (?1, ?2, ?3, ?4)";

impl Ledger {
    pub(in crate::embedded) fn reserve(
        &mut self,
        key: [u8; 32],
        fingerprint: [u8; 32],
    ) -> Result<KeyReservation, StoreError> {
        if self.holdings.running(&key).is_some() {
            self.holdings.set_running(key, Some(fingerprint));
            return Ok(KeyReservation::InProgress);
        }
        let known = self
            .db
            .prepare_cached(FIND_ANSWER)?
            .query_row([key], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?)))
            .optional()?;
        Ok(match known {
            Some((known, answer)) if known == fingerprint => KeyReservation::Completed(answer),
            Some(_) => KeyReservation::FingerprintMismatch,
            None => {
                self.holdings.set_running(key, Some(fingerprint));
                KeyReservation::Acquired
            },
        })
    }

    pub(in crate::embedded) fn answer(
        &mut self,
        key: [u8; 32],
        response: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(fingerprint) = self.holdings.running(&key) else { return Ok(()) };
        self.holdings.set_running(key, None);
        if let Some(response) = response {
            let values = params![key, fingerprint, response, now.as_millis()];
            self.db.prepare_cached(INSERT_ANSWER)?.execute(values)?;
        }
        Ok(())
    }
}
