//! Idempotency keys and the responses that were given under them.

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use super::{
    MemoryStore,
    state::{ReservedKey, State},
};
use crate::{
    contract::idempotency::{Idempotency, KeyReservation},
    error::StoreError,
};

#[async_trait]
impl Idempotency for MemoryStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        _now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        self.transact(|state| Ok(state.reserve_key(key, fingerprint)))
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.transact(|state| {
            state.complete_key(key, response, now);
            Ok(())
        })
    }
}

impl State {
    fn reserve_key(&mut self, key: [u8; 32], fingerprint: [u8; 32]) -> KeyReservation {
        match self.reservations.get_mut(&key) {
            None => {
                self.reservations.insert(key, ReservedKey { fingerprint, response: None });
                KeyReservation::Acquired
            },
            Some(known @ ReservedKey { response: None, .. }) => {
                known.fingerprint = fingerprint;
                KeyReservation::InProgress
            },
            Some(known) if known.fingerprint != fingerprint => KeyReservation::FingerprintMismatch,
            Some(ReservedKey { response: Some((response, _)), .. }) => {
                KeyReservation::Completed(response.clone())
            },
        }
    }

    fn complete_key(&mut self, key: [u8; 32], response: Option<Vec<u8>>, now: Timestamp) {
        let Some(reserved) = self.reservations.get_mut(&key) else { return };
        match response {
            // A response that was given stays.
            _ if reserved.response.is_some() => {},
            Some(response) => reserved.response = Some((response, now)),
            None => drop(self.reservations.remove(&key)),
        }
    }
}
