//! Event types: the kinds of events that an organization publishes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{
        field::{Field, Patch, or_default, present},
        renamed::FeatureFlags,
    },
    name::EventTypeName,
};

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 2] = ["createdAt", "updatedAt"];

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
        let Self { name: _, description, archived, deprecated, schemas, group_name, feature_flags } =
            self;
        EventTypeIn { name, description, archived, deprecated, schemas, group_name, feature_flags }
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
}

#[cfg(feature = "schema")]
type Schemas = std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>>;
