//! What readers ask for.

use std::sync::Arc;

use super::{session::Session, trouble};
use crate::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, Found, MessageFilter,
    Named, Scan, Stats, StoreError, StoreSize,
};
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::delivery::Attempt;
use postrider_core::delivery::DeliveryId;
use postrider_core::message::Message;
use postrider_core::time::Timestamp;

pub(super) async fn message(
    _: &mut Session,
    _application: ApplicationId,
    _named: &Named<MessageId>,
) -> Result<Option<Message>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn messages(
    _: &mut Session,
    _application: ApplicationId,
    _filter: &MessageFilter,
    _scan: &Scan<MessageId>,
) -> Result<Found<Message, MessageId>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn attempt(
    _: &mut Session,
    _application: ApplicationId,
    _message: MessageId,
    _id: AttemptId,
) -> Result<Option<Attempt>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn attempts(
    _: &mut Session,
    _of: AttemptsOf,
    _filter: &AttemptFilter,
    _scan: &Scan<AttemptId>,
) -> Result<Found<(Attempt, Arc<Message>), AttemptId>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn deliveries(
    _: &mut Session,
    _of: DeliveriesOf,
    _filter: &DeliveryFilter,
    _scan: &Scan<DeliveryId>,
) -> Result<Found<DeliveryRow, DeliveryId>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn stats(
    _: &mut Session,
    _application: ApplicationId,
    _endpoint: EndpointId,
    _since: Timestamp,
    _until: Timestamp,
) -> Result<Stats, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn last_sequence(_: &mut Session) -> Result<u64, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn size(_: &mut Session) -> Result<StoreSize, StoreError> {
    Err(trouble::unavailable("not written yet"))
}
