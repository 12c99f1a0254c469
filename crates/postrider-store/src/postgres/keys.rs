//! Idempotency keys of requests.

use super::{session::Session, trouble};
use crate::{Reservation, StoreError};
use postrider_core::time::Timestamp;

pub(super) async fn reserve(
    _: &mut Session,
    _node: i64,
    _key: &[u8; 32],
    _fingerprint: &[u8; 32],
    _now: Timestamp,
) -> Result<Reservation, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn answer(
    _: &mut Session,
    _key: &[u8; 32],
    _response: Option<&[u8]>,
    _now: Timestamp,
) -> Result<(), StoreError> {
    Err(trouble::unavailable("not written yet"))
}
