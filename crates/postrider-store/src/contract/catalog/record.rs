//! The kinds of records, and what a store has to know of each.

use std::{convert::Infallible, fmt};

use postrider::{
    ApiKeyId, ApplicationId, ConnectorId, ConsumerId, DeadLetterId, EndpointId, EventTypeName,
    OrganizationId, SourceId, TaskId, Uid,
};
use postrider_core::{
    access::{ApiKey, ApiKeyUse, TokenPolicy},
    catalog::{Application, Connector, Consumer, DeadLetter, Endpoint, EventType, Source, Task},
    queue::partitions::Partitions,
    schema_report::SchemaReport,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Parent, RecordId, RecordKind, RecordRow, StoredRecord, UniqueKey};
use crate::{error::StoreError, weight::Weight};

/// A type that is stored in the catalog.
pub trait Record: Serialize + DeserializeOwned + Weight + Send + Sync + 'static {
    const KIND: RecordKind;
    type Parent: Clone + Into<Parent> + Send + Sync;
    type Id: Clone + fmt::Display + Into<RecordId> + Send + Sync;
    /// A further key that finds the record; `Infallible` if there is none.
    type UniqueKey: Into<UniqueKey> + Send;

    fn parent(&self) -> Self::Parent;

    fn id(&self) -> Self::Id;

    fn uid(&self) -> Option<&Uid> {
        None
    }

    /// A digest that no two records of the kind share.
    fn digest(&self) -> Option<[u8; 32]> {
        None
    }

    /// The application that other nodes have to read again when the record changes.
    fn application(&self) -> Option<ApplicationId> {
        None
    }

    /// Deliveries to a disabled record are paused.
    fn is_disabled(&self) -> bool {
        false
    }

    /// Lists contain a hidden record only if they are asked to.
    fn is_hidden(&self) -> bool {
        false
    }
}

impl Record for Application {
    const KIND: RecordKind = RecordKind::Application;
    type Parent = OrganizationId;
    type Id = ApplicationId;
    type UniqueKey = ApplicationId;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> ApplicationId {
        self.id
    }

    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }

    fn application(&self) -> Option<ApplicationId> {
        Some(self.id)
    }
}

impl Record for Endpoint {
    const KIND: RecordKind = RecordKind::Endpoint;
    type Parent = ApplicationId;
    type Id = EndpointId;
    type UniqueKey = Infallible;

    fn parent(&self) -> ApplicationId {
        self.application
    }

    fn id(&self) -> EndpointId {
        self.id
    }

    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }

    fn application(&self) -> Option<ApplicationId> {
        Some(self.application)
    }

    fn is_disabled(&self) -> bool {
        // Nothing is delivered to it in both cases.
        self.is_stopped()
    }
}

impl Record for EventType {
    const KIND: RecordKind = RecordKind::EventType;
    type Parent = OrganizationId;
    type Id = EventTypeName;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> EventTypeName {
        self.name.clone()
    }

    fn is_hidden(&self) -> bool {
        self.archived
    }
}

impl Record for Source {
    const KIND: RecordKind = RecordKind::Source;
    type Parent = OrganizationId;
    type Id = SourceId;
    /// The digest of the token.
    type UniqueKey = [u8; 32];

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> SourceId {
        self.id
    }

    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }

    fn digest(&self) -> Option<[u8; 32]> {
        Some(self.token_digest)
    }

    fn application(&self) -> Option<ApplicationId> {
        Some(self.application)
    }
}

impl Record for Connector {
    const KIND: RecordKind = RecordKind::Connector;
    type Parent = OrganizationId;
    type Id = ConnectorId;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> ConnectorId {
        self.id
    }

    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }
}

impl Record for Consumer {
    const KIND: RecordKind = RecordKind::Consumer;
    type Parent = OrganizationId;
    type Id = ConsumerId;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> ConsumerId {
        self.id
    }

    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }

    fn is_disabled(&self) -> bool {
        self.disabled
    }
}

/// A consumer has one such record, with its id.
impl Record for Partitions {
    const KIND: RecordKind = RecordKind::Partitions;
    type Parent = ConsumerId;
    type Id = ConsumerId;
    type UniqueKey = Infallible;

    fn parent(&self) -> ConsumerId {
        self.consumer
    }

    fn id(&self) -> ConsumerId {
        self.consumer
    }
}

impl Record for DeadLetter {
    const KIND: RecordKind = RecordKind::DeadLetter;
    type Parent = ConsumerId;
    type Id = DeadLetterId;
    type UniqueKey = Infallible;

    fn parent(&self) -> ConsumerId {
        self.consumer
    }

    fn id(&self) -> DeadLetterId {
        self.id
    }
}

/// An ended task counts as disabled.
impl Record for Task {
    const KIND: RecordKind = RecordKind::Task;
    type Parent = OrganizationId;
    type Id = TaskId;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> TaskId {
        self.id
    }

    fn is_disabled(&self) -> bool {
        self.has_ended()
    }
}

impl Record for ApiKey {
    const KIND: RecordKind = RecordKind::ApiKey;
    type Parent = OrganizationId;
    type Id = ApiKeyId;
    /// The digest of the key.
    type UniqueKey = [u8; 32];

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> ApiKeyId {
        self.id
    }

    fn digest(&self) -> Option<[u8; 32]> {
        Some(self.digest)
    }
}

/// A key has at most one such record, with its id.
impl Record for ApiKeyUse {
    const KIND: RecordKind = RecordKind::ApiKeyUse;
    type Parent = OrganizationId;
    type Id = ApiKeyId;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> ApiKeyId {
        self.key
    }
}

/// An event type has at most one such record, with its name. It is removed with the event type.
impl Record for SchemaReport {
    const KIND: RecordKind = RecordKind::SchemaReport;
    type Parent = OrganizationId;
    type Id = EventTypeName;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> EventTypeName {
        self.event_type.clone()
    }
}

/// An organization has at most one such record, with its id.
impl Record for TokenPolicy {
    const KIND: RecordKind = RecordKind::TokenPolicy;
    type Parent = OrganizationId;
    type Id = OrganizationId;
    type UniqueKey = Infallible;

    fn parent(&self) -> OrganizationId {
        self.organization.clone()
    }

    fn id(&self) -> OrganizationId {
        self.organization.clone()
    }
}

impl RecordRow {
    /// The record as a store receives it.
    pub fn of<R: Record>(record: &R) -> Result<Self, StoreError> {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            what: R::KIND.name(),
            source: error.into(),
        };
        Ok(Self {
            kind: R::KIND,
            parent: record.parent().into(),
            id: record.id().into(),
            uid: record.uid().cloned(),
            digest: record.digest(),
            application: record.application(),
            is_disabled: record.is_disabled(),
            is_hidden: record.is_hidden(),
            json: serde_json::to_string(record).map_err(corrupt)?,
        })
    }
}

impl StoredRecord {
    pub(crate) fn decode<R: Record>(&self) -> Result<R, StoreError> {
        decode(&self.json)
    }
}

/// Decodes a record from its JSON.
pub(crate) fn decode<R: Record>(json: &str) -> Result<R, StoreError> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Corrupt { what: R::KIND.name(), source: error.into() })
}
