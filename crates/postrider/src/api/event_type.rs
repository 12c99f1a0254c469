//! Event types: the kinds of events that an organization publishes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{
        field::{Field, Patch, or_default, present},
        renamed::FeatureFlags,
    },
    id::{MessageId, SourceId},
    name::{EventTypeName, Uid},
};

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 3] = ["createdAt", "updatedAt", "managedBy"];

/// What happens to a payload that does not match the schema of its event type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum SchemaValidation {
    /// Payloads are not checked.
    #[default]
    Off,
    /// The message is accepted; the report of the event type lists it.
    Warn,
    /// The message is refused.
    Reject,
}

impl SchemaValidation {
    /// All values, with the names that they have in JSON.
    pub const NAMES: [(Self, &'static str); 3] =
        [(Self::Off, "off"), (Self::Warn, "warn"), (Self::Reject, "reject")];

    /// Whether payloads are not checked.
    pub const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
}

/// A payload that does not match the schema of its event type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaProblem {
    /// The JSON pointer of the place in the payload; empty for the whole payload.
    pub pointer: String,
    /// What was expected there. It contains no values of the payload.
    pub message: String,
}

/// Checks a payload against the schema of an event type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaCheckIn {
    /// The payload.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub payload: Box<RawValue>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaCheckOut {
    /// Whether the payload matches the newest schema, or the event type has none.
    pub valid: bool,
    /// The version of the schema; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The places where the payload does not match, at most 20.
    pub problems: Vec<SchemaProblem>,
}

/// What one node found when it checked the payloads of an event type since it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaReportOut {
    /// What happens to payloads that do not match.
    pub validation: SchemaValidation,
    /// The version of the schema that payloads are checked against; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why payloads cannot be checked against the schema, if they cannot. They are accepted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Since when payloads are counted; absent if none was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Payloads that matched.
    pub valid: u64,
    /// Payloads that did not match and were accepted.
    pub warned: u64,
    /// Payloads that did not match and were refused.
    pub rejected: u64,
    /// The last payloads that did not match, newest first.
    pub recent: Vec<SchemaMismatch>,
}

/// A message whose payload did not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SchemaMismatch {
    /// When it was published or received.
    pub timestamp: Timestamp,
    /// The application, as the request named it; the id of the source's application if the message
    /// was received.
    pub application: String,
    /// The source that received the message; absent if it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<SourceId>,
    /// The publisher's identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The message, if it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// Whether it was refused.
    pub rejected: bool,
    /// The places where the payload did not match.
    pub problems: Vec<SchemaProblem>,
}

/// Creates an event type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeIn {
    /// The name; dots separate the levels of a hierarchy.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub name: String,
    /// A description for people.
    pub description: String,
    /// Whether the event type is hidden from lists, and new endpoints cannot subscribe to it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub archived: bool,
    /// Whether the event type is shown as deprecated.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub deprecated: bool,
    /// JSON schemas of the payload, by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// What happens to a payload that does not match the newest schema, instead of what the
    /// settings of the organization say; `null` removes it, and without it, an event type that
    /// exists keeps what it has. A Postrider extension.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<SchemaValidation>"))]
    pub schema_validation: Patch<SchemaValidation>,
    /// The group in which the event type is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Option<String>,
    /// The feature flags of tokens that can see the event type.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
}

/// Replaces an event type, or creates it (`PUT`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeUpdate {
    /// The name; if present, it must be the one in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub name: Option<String>,
    /// A description for people.
    pub description: String,
    /// Whether the event type is hidden from lists, and new endpoints cannot subscribe to it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub archived: bool,
    /// Whether the event type is shown as deprecated.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub deprecated: bool,
    /// JSON schemas of the payload, by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// What happens to a payload that does not match the newest schema, instead of what the
    /// settings of the organization say; `null` removes it, and without it, an event type that
    /// exists keeps what it has. A Postrider extension.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<SchemaValidation>"))]
    pub schema_validation: Patch<SchemaValidation>,
    /// The group in which the event type is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Option<String>,
    /// The feature flags of tokens that can see the event type.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
}

impl EventTypeUpdate {
    /// The input that creates the event type `name` with these fields.
    pub fn named(self, name: String) -> EventTypeIn {
        let Self {
            name: _,
            description,
            archived,
            deprecated,
            schemas,
            schema_validation,
            group_name,
            feature_flags,
        } = self;
        EventTypeIn {
            name,
            description,
            archived,
            deprecated,
            schemas,
            schema_validation,
            group_name,
            feature_flags,
        }
    }
}

/// Changes some fields of an event type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EventTypePatch {
    /// A description for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub description: Option<String>,
    /// Whether the event type is hidden from lists, and new endpoints cannot subscribe to it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub archived: Option<bool>,
    /// Whether the event type is shown as deprecated.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub deprecated: Option<bool>,
    /// JSON schemas of the payload, by version; `null` removes them.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Patch<Box<RawValue>>,
    /// What happens to a payload that does not match the newest schema; `null` if the settings of
    /// the organization determine it. A Postrider extension.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<SchemaValidation>"))]
    pub schema_validation: Patch<SchemaValidation>,
    /// The group in which the event type is shown; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Patch<String>,
    /// The feature flags of tokens that can see the event type; `null` or an empty list means all
    /// tokens.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Patch<Vec<String>>>,
}

/// An event type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeOut {
    /// The name.
    pub name: EventTypeName,
    /// A description for people.
    pub description: String,
    /// Whether the event type is hidden from lists.
    pub archived: bool,
    /// Whether the event type is shown as deprecated.
    pub deprecated: bool,
    /// JSON schemas of the payload, by version, if they were requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// What happens to a payload that does not match the newest schema, if the event type has a
    /// setting of its own. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_validation: Option<SchemaValidation>,
    /// The group in which the event type is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The feature flags of tokens that can see the event type.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
    /// When the event type was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

#[cfg(feature = "schema")]
type Schemas = std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>>;
