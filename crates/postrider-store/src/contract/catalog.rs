//! What users configure: records with a kind, a parent, an id and a version.
//!
//! A store knows of a record what it needs to find it and to act on it ([`RecordRow`]), and keeps
//! the rest as JSON. So a new kind of record costs a type that implements
//! [`Record`](record::Record) and, in the stores on disk, a table. Programs use the typed
//! operations of [`Records`](typed::Records).

pub(crate) mod record;
pub(crate) mod typed;

use std::{convert::Infallible, fmt};

use async_trait::async_trait;
use postrider::{
    ApiKeyId, ApplicationId, ConnectorId, ConsumerId, DeadLetterId, EndpointId, EventTypeName,
    OrganizationId, SourceId, TaskId, Uid,
};
use postrider_core::time::Timestamp;

use crate::error::StoreError;

/// The maximum number of dead letters of a consumer. The consumer waits when there are as many,
/// because a dead letter is all that is left of a message.
pub const MAX_DEAD_LETTERS: usize = 10_000;

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    Application,
    Endpoint,
    EventType,
    Source,
    Consumer,
    /// The leases on the partitions of a consumer's queue.
    Partitions,
    DeadLetter,
    ApiKey,
    /// When an API key was last used.
    ApiKeyUse,
    /// Which tokens of an organization were expired.
    TokenPolicy,
    Task,
    Connector,
    /// What was found when payloads of an event type were checked.
    SchemaReport,
}

/// What a record belongs to. Uids are unique among the records of one kind and parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    Organization(OrganizationId),
    Application(ApplicationId),
    Consumer(ConsumerId),
}

/// What tells records of one kind and parent apart. Lists are in the order of the ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordId {
    Uuid(u128),
    Name(String),
}

/// A key that finds a record of a kind whatever its parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueKey {
    /// The id of an application.
    Id(u128),
    /// The digest of a source's token or of an API key.
    Digest([u8; 32]),
}

/// The id or the uid of a record, whichever the client used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOrUid<I> {
    Id(I),
    Uid(Uid),
}

/// Which record of a kind to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Id(Parent, RecordId),
    Uid(Parent, Uid),
    Unique(UniqueKey),
}

/// Which records of a kind to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRange {
    pub parent: Parent,
    /// Includes hidden records.
    pub with_hidden: bool,
    /// The list starts after this id; `None` starts at the first one.
    pub after: Option<RecordId>,
    pub ascending: bool,
    /// The maximum number of records to return.
    pub limit: usize,
}

/// The number of times that a record was saved. Every change gives it a new version; a record that
/// is removed and created again, or copied to another store, starts at the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    pub(crate) const FIRST: Self = Self(1);
}

/// The version that a record must have for a save to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// None: the record must not exist yet.
    New,
    /// This one: the record must not have been changed since it was read.
    Version(Version),
    /// Any one, or none.
    Any,
}

impl Expected {
    /// Returns the version that a record gets when it is saved, given the version that it has
    /// now, or why it cannot be saved.
    pub(crate) fn next(
        self,
        kind: RecordKind,
        current: Option<Version>,
    ) -> Result<Version, StoreError> {
        match (self, current) {
            (Self::New, Some(_)) => Err(StoreError::Conflict { what: kind.name() }),
            (Self::Version(expected), current) if current != Some(expected) => {
                Err(StoreError::VersionMismatch { what: kind.name() })
            },
            (_, None) => Ok(Version::FIRST),
            (_, Some(Version(current))) => Ok(Version(current + 1)),
        }
    }
}

/// A record as a store receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    pub kind: RecordKind,
    pub parent: Parent,
    pub id: RecordId,
    pub uid: Option<Uid>,
    pub digest: Option<[u8; 32]>,
    /// The application that other nodes have to read again when the record changes.
    pub application: Option<ApplicationId>,
    pub is_disabled: bool,
    pub is_hidden: bool,
    /// The whole record.
    pub json: String,
}

/// A record as a store returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    pub version: Version,
    pub json: String,
}

/// Stores records.
#[async_trait]
pub trait Catalog: Send + Sync + fmt::Debug + 'static {
    async fn get_record(
        &self,
        kind: RecordKind,
        selector: Selector,
    ) -> Result<Option<StoredRecord>, StoreError>;

    /// Lists records in the order of their ids.
    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// Creates the record, or replaces the one with the same id, and returns its new version.
    ///
    /// Fails with [`StoreError::Full`] if it is a dead letter and its consumer has
    /// [`MAX_DEAD_LETTERS`] already; with [`StoreError::Conflict`] if another record has the uid or
    /// the digest, or if the record exists and [`Expected::New`] was asked for; with
    /// [`StoreError::VersionMismatch`] if it does not have the version that was asked for.
    ///
    /// Saving an endpoint as disabled pauses its deliveries and clears the time since when it has
    /// been failing. Saving it as enabled makes its deliveries available again, and other nodes
    /// receive [`StoreEvent::DeliveriesDue`](crate::StoreEvent::DeliveriesDue). Other nodes
    /// receive [`StoreEvent::ApplicationChanged`](crate::StoreEvent::ApplicationChanged) for
    /// every record that belongs to an application, and
    /// [`StoreEvent::AccessChanged`](crate::StoreEvent::AccessChanged) for API keys and token
    /// policies, and [`StoreEvent::EventTypesChanged`](crate::StoreEvent::EventTypesChanged) for
    /// event types.
    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError>;

    /// Removes the record and what belongs to it: the deliveries of an endpoint are cancelled, an
    /// application loses its endpoints and sources, a source its rejections, and a consumer its
    /// partitions and dead letters, an API key its last use. Returns `false` if there was no such record.
    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError>;

    /// Lists the consumers of all organizations in the order of their ids: at most `limit`, after
    /// this one.
    async fn consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// Returns the failing endpoints of the application, each with the time of the first
    /// delivery that was exhausted since its last success, as settlements recorded it.
    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError>;
}

impl RecordKind {
    /// Whether other nodes receive
    /// [`StoreEvent::AccessChanged`](crate::StoreEvent::AccessChanged) when a record changes.
    pub(crate) const fn controls_access(self) -> bool {
        matches!(self, Self::ApiKey | Self::TokenPolicy)
    }

    /// Whether the ids of the records are names.
    pub(crate) const fn has_names(self) -> bool {
        matches!(self, Self::EventType | Self::TokenPolicy | Self::SchemaReport)
    }

    /// The kind's name in error messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Endpoint => "endpoint",
            Self::EventType => "event type",
            Self::Source => "source",
            Self::Consumer => "consumer",
            Self::Partitions => "partitions of a queue",
            Self::DeadLetter => "dead letter",
            Self::ApiKey => "API key",
            Self::ApiKeyUse => "use of an API key",
            Self::TokenPolicy => "token policy",
            Self::Task => "background task",
            Self::Connector => "connector",
            Self::SchemaReport => "schema report",
        }
    }
}

/// Why another dead letter cannot be saved.
pub(crate) fn too_many_dead_letters() -> StoreError {
    let reason =
        format!("the consumer has {MAX_DEAD_LETTERS} dead letters; retry or delete some of them");
    StoreError::Full(reason.into())
}

impl From<OrganizationId> for Parent {
    fn from(id: OrganizationId) -> Self {
        Self::Organization(id)
    }
}

impl From<ApplicationId> for Parent {
    fn from(id: ApplicationId) -> Self {
        Self::Application(id)
    }
}

impl From<ConsumerId> for Parent {
    fn from(id: ConsumerId) -> Self {
        Self::Consumer(id)
    }
}

macro_rules! record_ids {
    ($($id:ty),+) => {$(
        impl From<$id> for RecordId {
            fn from(id: $id) -> Self {
                Self::Uuid(id.as_u128())
            }
        }
    )+};
}
record_ids!(
    ApiKeyId,
    ApplicationId,
    ConnectorId,
    ConsumerId,
    DeadLetterId,
    EndpointId,
    SourceId,
    TaskId
);

impl From<EventTypeName> for RecordId {
    fn from(name: EventTypeName) -> Self {
        Self::Name(name.as_str().to_owned())
    }
}

impl From<OrganizationId> for RecordId {
    fn from(id: OrganizationId) -> Self {
        Self::Name(id.as_str().to_owned())
    }
}

impl From<ApplicationId> for UniqueKey {
    fn from(id: ApplicationId) -> Self {
        Self::Id(id.as_u128())
    }
}

impl From<[u8; 32]> for UniqueKey {
    fn from(digest: [u8; 32]) -> Self {
        Self::Digest(digest)
    }
}

impl From<Infallible> for UniqueKey {
    fn from(key: Infallible) -> Self {
        match key {}
    }
}
