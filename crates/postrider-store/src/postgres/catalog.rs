//! What users configure.

use super::{session::Session, trouble};
use crate::{Found, Key, Named, Record, Scan, StoreError};
use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId};
use postrider_core::catalog::Application;
use postrider_core::catalog::Endpoint;
use postrider_core::catalog::EventType;
use postrider_core::time::Timestamp;

pub(super) async fn save(
    _: &mut Session,
    _record: &Record,
    _create: bool,
) -> Result<(), StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn remove(_: &mut Session, _key: &Key) -> Result<bool, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn application(
    _: &mut Session,
    _organization: &OrganizationId,
    _named: &Named<ApplicationId>,
) -> Result<Option<Application>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn application_by_id(
    _: &mut Session,
    _id: ApplicationId,
) -> Result<Option<Application>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn applications(
    _: &mut Session,
    _organization: &OrganizationId,
    _scan: &Scan<ApplicationId>,
) -> Result<Found<Application, ApplicationId>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn endpoint(
    _: &mut Session,
    _application: ApplicationId,
    _named: &Named<EndpointId>,
) -> Result<Option<Endpoint>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn endpoints(
    _: &mut Session,
    _application: ApplicationId,
    _scan: &Scan<EndpointId>,
) -> Result<Found<Endpoint, EndpointId>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn failing(
    _: &mut Session,
    _application: ApplicationId,
) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn event_type(
    _: &mut Session,
    _organization: &OrganizationId,
    _name: &EventTypeName,
) -> Result<Option<EventType>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}

pub(super) async fn event_types(
    _: &mut Session,
    _organization: &OrganizationId,
    _archived: bool,
    _scan: &Scan<EventTypeName>,
) -> Result<Found<EventType, EventTypeName>, StoreError> {
    Err(trouble::unavailable("not written yet"))
}
