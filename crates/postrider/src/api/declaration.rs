//! Declared records: what files describe, and what applying them changes.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{
    ApplicationIn, ConsumerIn, EndpointIn, EventTypeIn, IngestSourceIn, connector::ConnectorIn,
};

/// Maximum number of records that are applied at once.
pub const MAX_DECLARED: usize = 5_000;

/// The name of a set of declared records, if none is given.
pub const DEFAULT_SET: &str = "default";

/// The kinds of records that can be declared, in the order in which they are created: each may
/// refer to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DeclaredKind {
    /// An event type.
    EventType,
    /// A connector.
    Connector,
    /// An application.
    Application,
    /// A source.
    Source,
    /// An endpoint of an application or a source.
    Endpoint,
    /// A consumer.
    Consumer,
}

impl DeclaredKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::EventType,
        Self::Connector,
        Self::Application,
        Self::Source,
        Self::Endpoint,
        Self::Consumer,
    ];

    /// The name of the list of such records, such as `eventTypes`.
    pub const fn list(self) -> &'static str {
        match self {
            Self::EventType => "eventTypes",
            Self::Connector => "connectors",
            Self::Application => "applications",
            Self::Source => "sources",
            Self::Endpoint => "endpoints",
            Self::Consumer => "consumers",
        }
    }
}

impl fmt::Display for DeclaredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventType => "event type",
            Self::Connector => "connector",
            Self::Application => "application",
            Self::Source => "source",
            Self::Endpoint => "endpoint",
            Self::Consumer => "consumer",
        })
    }
}

/// Declared records. Their fields are those of the requests that create them, and all but event
/// types need a `uid`. A secret of `***` keeps the stored one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Declaration {
    /// Event types.
    pub event_types: Vec<EventTypeIn>,
    /// Connectors.
    pub connectors: Vec<ConnectorIn>,
    /// Applications.
    pub applications: Vec<ApplicationIn>,
    /// Sources.
    pub sources: Vec<IngestSourceIn>,
    /// Endpoints of applications and sources.
    pub endpoints: Vec<DeclaredEndpoint>,
    /// Consumers.
    pub consumers: Vec<DeclaredConsumer>,
}

/// An endpoint of an application or a source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeclaredEndpoint {
    /// The uid of the application that the endpoint belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The uid of the source that the endpoint belongs to, instead of an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Code that changes what is delivered; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<DeclaredTransformation>,
    /// Everything else. Without a secret, the endpoint keeps the one that it has.
    #[serde(flatten)]
    pub endpoint: EndpointIn,
    /// Whether the endpoint receives no messages; if absent, this does not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Code that changes what is delivered to an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeclaredTransformation {
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The uid of the connector whose code is copied, instead of `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Whether deliveries are transformed; true if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Values that the code finds in `webhook.env`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for DeclaredTransformation {
    /// Omits the variables, which may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredTransformation").finish_non_exhaustive()
    }
}

/// A consumer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeclaredConsumer {
    /// Everything but whether it is disabled.
    #[serde(flatten)]
    pub consumer: ConsumerIn,
    /// Whether the queue is not read; if absent, this does not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Creates, changes and removes records, so that they are as declared. All changes are made in one
/// transaction.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplyIn {
    /// The name of the set of records: `default` if absent. The server stores with each record to
    /// which set it belongs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Only report what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// Remove the records of the set that are not declared any more. Other records are never
    /// removed.
    #[serde(default)]
    pub prune: bool,
    /// The `revision` of a dry run: if any of the records has changed since then, nothing is
    /// applied, and the response is 409.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The records.
    #[serde(default)]
    pub records: Declaration,
}

/// What applying a declaration changes, or has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplyOut {
    /// Whether the changes were made; false for a dry run.
    pub applied: bool,
    /// The changes, in the order in which they are made.
    pub changes: Vec<RecordChangeOut>,
    /// The number of declared records that are as declared.
    pub unchanged: usize,
    /// Identifies the state of the records that the changes were determined from.
    pub revision: String,
}

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum RecordAction {
    /// The record is created.
    Create,
    /// Fields of the record change.
    Update,
    /// The record is removed, with what belongs to it.
    Remove,
}

/// The change of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordChangeOut {
    /// What happens to the record.
    pub action: RecordAction,
    /// The kind of the record.
    pub kind: DeclaredKind,
    /// Its uid; for an endpoint, the uid of its application or source, a slash, and its uid; for
    /// an event type, its name.
    pub name: String,
    /// The fields that differ.
    pub fields: Vec<FieldChangeOut>,
}

/// The change of one field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldChangeOut {
    /// The field, with dots between the levels.
    pub field: String,
    /// The value before; absent if there was none, or if it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value after; absent if there is none, or if it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Whether the values are not shown because they are secret.
    #[serde(default)]
    pub hidden: bool,
}

/// The records of an organization, as they can be declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DeclarationOut {
    /// Event types.
    pub event_types: Vec<Map<String, Value>>,
    /// Connectors.
    pub connectors: Vec<Map<String, Value>>,
    /// Applications.
    pub applications: Vec<Map<String, Value>>,
    /// Sources.
    pub sources: Vec<Map<String, Value>>,
    /// Endpoints of applications and sources.
    pub endpoints: Vec<Map<String, Value>>,
    /// Consumers.
    pub consumers: Vec<Map<String, Value>>,
    /// Records that cannot be declared, each with the reason.
    pub skipped: Vec<String>,
}
