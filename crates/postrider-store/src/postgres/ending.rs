//! Ends deliveries, and begins them again.

use super::{session::Session, trouble};
use crate::{Scope, StoreError};
use postrider::{ApplicationId, AttemptId, MessageId};
use postrider_core::catalog::Recovery;
use postrider_core::delivery::DeliveryId;
use postrider_core::time::Timestamp;

pub(super) async fn resend(
    _: &mut Session,
    _application: ApplicationId,
    _id: DeliveryId,
    _at: Timestamp,
) -> Result<bool, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn begin_recovery(
    _: &mut Session,
    _recovery: &Recovery,
) -> Result<(), StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn recover(
    _: &mut Session,
    _now: Timestamp,
    _limit: usize,
) -> Result<Option<usize>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn cancel(_: &mut Session, _scope: Scope) -> Result<u64, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn expunge_message(
    _: &mut Session,
    _application: ApplicationId,
    _id: MessageId,
) -> Result<bool, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn expunge_attempt(
    _: &mut Session,
    _application: ApplicationId,
    _message: MessageId,
    _id: AttemptId,
) -> Result<bool, StoreError> {
    Err(trouble::unavailable("not written yet"))
}
