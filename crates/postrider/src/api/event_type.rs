//! Event types: the kinds of events that an organization sends.

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

/// Fields of responses that clients may write back, which changes nothing.
#[cfg(feature = "schema")]
const IGNORED: [&str; 2] = ["createdAt", "updatedAt"];

/// Creates an event type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeIn {
    /// The name; dots separate the parts of a hierarchy.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub name: String,
    /// What people read about the event type.
    pub description: String,
    /// Whether it is hidden from lists, and no new endpoint may ask for it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub archived: bool,
    /// Whether people are told to use another one.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub deprecated: bool,
    /// JSON schemas of the payload by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// The group that people see it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Option<String>,
    /// Who may see it.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
}

/// Replaces an event type, or creates it (`PUT`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeUpdate {
    /// The name, which must be the one of the path; that one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub name: Option<String>,
    /// What people read about the event type.
    pub description: String,
    /// Whether it is hidden from lists, and no new endpoint may ask for it.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub archived: bool,
    /// Whether people are told to use another one.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub deprecated: bool,
    /// JSON schemas of the payload by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// The group that people see it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Option<String>,
    /// Who may see it.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
}

impl EventTypeUpdate {
    /// What creates the event type `name` with these fields, whatever name is among them.
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
    /// What people read about the event type.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub description: Option<String>,
    /// Whether it is hidden from lists, and no new endpoint may ask for it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub archived: Option<bool>,
    /// Whether people are told to use another one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub deprecated: Option<bool>,
    /// JSON schemas of the payload by version; `null` removes them.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Patch<Box<RawValue>>,
    /// The group that people see it in; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EventTypeName>"))]
    pub group_name: Patch<String>,
    /// Who may see it; `null` or an empty list means everybody.
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
    /// What people read about the event type.
    pub description: String,
    /// Whether it is hidden from lists.
    pub archived: bool,
    /// Whether people are told to use another one.
    pub deprecated: bool,
    /// JSON schemas of the payload by version, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Schemas>"))]
    pub schemas: Option<Box<RawValue>>,
    /// The group that people see it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Who may see it.
    #[serde(flatten)]
    pub feature_flags: FeatureFlags<Option<Vec<String>>>,
    /// When the event type was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(feature = "schema")]
type Schemas = std::collections::BTreeMap<String, serde_json::Map<String, serde_json::Value>>;
