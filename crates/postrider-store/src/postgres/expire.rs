//! What time takes away, and the partitions that it fills.

use super::{session::Session, trouble};
use crate::{Retention, StoreError};
use postrider_core::time::Timestamp;

pub(super) async fn expire(
    _: &mut Session,
    _now: Timestamp,
    _retention: Retention,
) -> Result<bool, StoreError> {
    Err(trouble::unavailable("not written yet"))
}
