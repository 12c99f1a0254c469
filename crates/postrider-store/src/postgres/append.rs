//! New messages.

use super::{session::Session, trouble};
use crate::{Appended, NewMessage, StoreError};

pub(super) async fn append(
    _: &mut Session,
    _node: i64,
    _batch: &[NewMessage],
) -> Result<Vec<Appended>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}
