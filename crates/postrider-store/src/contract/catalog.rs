//! What users configure: applications, endpoints, event types and sources.

use std::fmt;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId, SourceId, Uid};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Source},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    page::{Scan, ScanPage},
};

/// A record that users configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Application(Application),
    Endpoint(Endpoint),
    EventType(EventType),
    /// Tokens are unique, and uids are unique within an organization. Saving a source changes
    /// its application for other nodes
    /// ([`StoreEvent::ApplicationChanged`](crate::StoreEvent::ApplicationChanged)).
    Source(Box<Source>),
}

/// The key of a record that users configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// With its endpoints and its sources.
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
    EventType(OrganizationId, EventTypeName),
    /// With its rejections.
    Source(OrganizationId, SourceId),
}

/// The id or the uid of a record, whichever the client used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOrUid<I> {
    Id(I),
    Uid(Uid),
}

/// Stores what users configure.
#[async_trait]
pub trait Catalog: Send + Sync + fmt::Debug + 'static {
    /// Creates the record, or replaces the one with the same id. Fails with
    /// [`StoreError::Conflict`] if `create` is set and the record exists, or if another record
    /// has its uid. Saving an endpoint as disabled pauses its deliveries and clears the time
    /// since when it has been failing. Saving it as enabled makes them available again, and other
    /// nodes receive [`StoreEvent::DeliveriesDue`](crate::StoreEvent::DeliveriesDue).
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError>;

    /// Cancels the deliveries of the record, then removes the record. Returns `false` if there
    /// was none.
    async fn remove(&self, key: Key) -> Result<bool, StoreError>;

    async fn application(
        &self,
        organization: &OrganizationId,
        key: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError>;

    /// Returns the application with this id in any organization.
    async fn application_by_id(&self, id: ApplicationId)
    -> Result<Option<Application>, StoreError>;

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError>;

    async fn endpoint(
        &self,
        application: ApplicationId,
        key: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError>;

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError>;

    /// Returns the failing endpoints of the application, each with the time of the first
    /// delivery that was exhausted since its last success, as settlements recorded it.
    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError>;

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError>;

    /// Lists event types by name; archived ones only if asked for.
    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError>;

    async fn source(
        &self,
        organization: &OrganizationId,
        key: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError>;

    /// Returns the source whose token has this digest, in any organization.
    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError>;

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError>;
}
