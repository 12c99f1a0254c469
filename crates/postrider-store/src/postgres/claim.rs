//! Takes due deliveries, and gives them back.

use super::{session::Session, trouble};
use crate::{Claim, Claimed, StoreError};
use postrider_core::delivery::Delivery;
use postrider_core::time::Timestamp;

pub(super) async fn claim(
    _: &mut Session,
    _node: i64,
    _claim: &Claim,
) -> Result<Claimed, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn release(
    _: &mut Session,
    _node: i64,
    _deliveries: &[(Delivery, Timestamp)],
) -> Result<(), StoreError> {
    Err(trouble::unavailable("not written yet"))
}
