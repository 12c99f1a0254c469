//! How attempts ended.

use super::{session::Session, trouble};
use crate::{SettleBatch, StoreError};

pub(super) async fn settle(
    _: &mut Session,
    _node: i64,
    _batch: &SettleBatch,
) -> Result<(), StoreError> {
    Err(trouble::unavailable("not written yet"))
}
