//! Idempotency keys and the responses that were given under them.

use std::fmt;

use async_trait::async_trait;
use postrider_core::time::Timestamp;

use crate::error::StoreError;

/// The state of an idempotency key when a request asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReservation {
    /// The key was unused; the caller holds it now.
    Acquired,
    /// Another request of this node holds the key and has not been answered. The key now has
    /// the caller's fingerprint. The caller must know that the other request has ended.
    InProgress,
    /// Another node holds the key and has not completed it. Whatever the fingerprint of its
    /// request, that request may still be refused, which frees the key.
    InProgressElsewhere,
    /// The same request was completed with this response.
    Completed(Vec<u8>),
    /// A request with another fingerprint was completed under this key.
    FingerprintMismatch,
}

/// Makes a request that is repeated with the same key take effect once.
#[async_trait]
pub trait Idempotency: Send + Sync + fmt::Debug + 'static {
    /// Reserves a key, given as its digest, for a request with this fingerprint.
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError>;

    /// Stores the response of a reserved key, or frees the key if there is none. A response
    /// that is already stored stays.
    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
