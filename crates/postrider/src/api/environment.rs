//! Environments: the settings and event types of an organization.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    api::{EventTypeIn, EventTypeOut, SchemaValidation, portal_theme::PortalTheme},
    name::EventTypeName,
};

/// The version of exported environments.
pub const VERSION: u32 = 1;

/// Maximum number of event types that are imported or exported at once.
pub const MAX_EVENT_TYPES: usize = 2_000;

/// The settings of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSettingsOut {
    /// Whether new URLs of endpoints must begin with `https`. By default, the configuration of the
    /// server decides.
    pub enforce_https: bool,
    /// Whether endpoints must have channels.
    pub require_endpoint_channel: bool,
    /// Whether endpoints must have event types.
    pub require_endpoint_filter_types: bool,
    /// Whether the tokens of applications can only read.
    pub read_only: bool,
    /// Whether endpoints that keep failing are disabled; true by default.
    pub disable_endpoint_on_failure: bool,
    /// Maximum number of endpoints of an application, if it is less than the quota of the server.
    #[serde(default)]
    pub endpoints_per_app_limit: Option<u32>,
    /// What happens to payloads that do not match the schema of their event type. A Postrider
    /// extension.
    #[serde(default)]
    pub schema_validation: SchemaValidation,
    /// How the customer portal looks.
    #[serde(flatten)]
    pub theme: PortalTheme,
}

/// Settings of an organization, by name. Settings of the hosted API that have no effect here are
/// accepted only with their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnvironmentSettingsIn(pub Map<String, Value>);

#[cfg(feature = "schema")]
impl schemars::JsonSchema for EnvironmentSettingsIn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EnvironmentSettingsIn".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = EnvironmentSettingsOut::json_schema(generator);
        schema.remove("required");
        schema.insert("additionalProperties".into(), true.into());
        schema
    }
}

/// Adds event types and settings to an organization, or changes them. Nothing is deleted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = ["version", "createdAt"])))]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentIn {
    /// Event types to create or replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<EventTypeIn>>,
    /// Settings to change; others stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<EnvironmentSettingsIn>,
    /// Must be empty: there are no connectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 0)))]
    pub connectors: Option<Vec<Value>>,
}

/// The event types and settings of an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentOut {
    /// Always [`VERSION`].
    pub version: u32,
    /// When the environment was exported.
    pub created_at: Timestamp,
    /// All event types, including archived ones.
    pub event_types: Vec<EventTypeOut>,
    /// The settings.
    pub settings: EnvironmentSettingsOut,
    /// Always empty.
    pub connectors: Vec<Value>,
}

/// Creates or changes event types as the webhooks of an `OpenAPI` document describe them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeImportOpenApiIn {
    /// Whether to only return what would be changed.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether to archive the event types that are not in the document.
    #[serde(default)]
    pub replace_all: bool,
    /// The document. Either this or `specRaw` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<Map<String, Value>>,
    /// The document as YAML or JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_raw: Option<String>,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventTypeImportOpenApiOut {
    /// The result of the import.
    pub data: EventTypeImportOpenApiOutData,
}

/// What an import changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventTypeImportOpenApiOutData {
    /// The event types that were created, changed or archived. Those that were the same already
    /// are not listed.
    pub modified: Vec<EventTypeName>,
    /// The event types that would be modified, if it was a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_modify: Option<Vec<EventTypeFromOpenApi>>,
}

/// An event type as an import would save it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventTypeFromOpenApi {
    /// The name.
    pub name: EventTypeName,
    /// A description for people.
    pub description: String,
    /// JSON schemas of the payload, by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Map<String, Value>>,
    /// Whether the event type is shown as deprecated.
    pub deprecated: bool,
    /// Whether the event type would be archived, because the document does not have it. A
    /// Postrider extension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// The group in which the event type is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The feature flags of tokens that can see the event type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<Vec<String>>,
}
