//! The encoding of a delivery's state in the index.

use crate::embedded::journal::DeliveryState;

// Zero is by far the most common one, and left out of the partial index `deliveries_open`.
pub(in crate::embedded) const DELIVERED: u8 = 0;
pub(in crate::embedded) const PENDING: u8 = 1;
pub(in crate::embedded) const FAILED: u8 = 2;
pub(in crate::embedded) const CANCELLED: u8 = 3;

/// The columns `state` and `at`.
pub(super) const fn columns(state: DeliveryState) -> (u8, u64) {
    match state {
        DeliveryState::Delivered => (DELIVERED, 0),
        DeliveryState::Pending(at) => (PENDING, at.as_millis()),
        DeliveryState::Failed => (FAILED, 0),
        DeliveryState::Cancelled => (CANCELLED, 0),
    }
}
