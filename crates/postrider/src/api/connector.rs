//! Connectors: transformations that a platform offers to its customers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::field::{Field, Patch},
    id::ConnectorId,
    name::{EventTypeName, OrganizationId, Uid},
};

/// The service that a connector is for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ConnectorKind {
    /// Any other one.
    #[default]
    Custom,
    /// The Agentic Commerce Protocol.
    AgenticCommerceProtocol,
    /// Close.
    CloseCRM,
    /// Customer.io.
    CustomerIO,
    /// Discord.
    Discord,
    /// `HubSpot`.
    Hubspot,
    /// Inngest.
    Inngest,
    /// Loops.
    Loops,
    /// OpenTelemetry traces.
    Otel,
    /// Resend.
    Resend,
    /// Salesforce.
    Salesforce,
    /// Segment.
    Segment,
    /// `SendGrid`.
    Sendgrid,
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// Trigger.dev.
    TriggerDev,
    /// Windmill.
    Windmill,
    /// Zapier.
    Zapier,
    /// Datadog traces.
    DatadogTracing,
    /// Grafana Cloud traces.
    GrafanaCloudTracing,
    /// New Relic traces.
    NewRelicTracing,
    /// Telegram. A Postrider extension.
    Telegram,
}

/// What a connector is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ConnectorProduct {
    /// Endpoints of applications.
    #[default]
    Dispatch,
    /// Streams.
    Stream,
}

/// A connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorOut {
    /// The identifier that the server assigned.
    pub id: ConnectorId,
    /// The organization that it belongs to.
    pub org_id: OrganizationId,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The service that it is for.
    pub kind: ConnectorKind,
    /// A name for people.
    pub name: String,
    /// URL of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// A description for people.
    pub description: String,
    /// How to set it up, in Markdown.
    pub instructions: String,
    /// Event types that an endpoint with this connector may get; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_event_types: Option<Vec<EventTypeName>>,
    /// JavaScript that defines a function `handler`.
    pub transformation: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// When its code was last changed.
    pub transformation_updated_at: Timestamp,
    /// A token of the portal sees it only if it has one of these, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<Vec<String>>,
    /// What it is for.
    pub product_type: ConnectorProduct,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

/// Creates a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorIn {
    /// A name for people.
    pub name: String,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// URL of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// A description for people.
    #[serde(default)]
    pub description: String,
    /// The service that it is for.
    #[serde(default)]
    pub kind: ConnectorKind,
    /// How to set it up, in Markdown.
    #[serde(default)]
    pub instructions: String,
    /// Event types that an endpoint with this connector may get; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EventTypeName>>"))]
    pub allowed_event_types: Option<Vec<String>>,
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes.
    pub transformation: String,
    /// A token of the portal sees it only if it has one of these, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<Vec<String>>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_type: Option<ConnectorProduct>,
}

/// Replaces or creates a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorUpsertIn {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// URL of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// A description for people.
    #[serde(default)]
    pub description: String,
    /// The service that it is for.
    #[serde(default)]
    pub kind: ConnectorKind,
    /// How to set it up, in Markdown.
    #[serde(default)]
    pub instructions: String,
    /// Event types that an endpoint with this connector may get; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EventTypeName>>"))]
    pub allowed_event_types: Option<Vec<String>>,
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes.
    pub transformation: String,
    /// A token of the portal sees it only if it has one of these, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<Vec<String>>,
}

/// Changes a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorPatch {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// URL of an image.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub logo: Patch<String>,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The service that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConnectorKind>,
    /// How to set it up, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Event types that an endpoint with this connector may get; `null` for all.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EventTypeName>>"))]
    pub allowed_event_types: Patch<Vec<String>>,
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<String>,
    /// A token of the portal sees it only if it has one of these, when there are any.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub feature_flags: Patch<Vec<String>>,
}

/// What an endpoint with a connector is configured with. Its form depends on the kind of the
/// connector; only `Custom` has options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorOptionsBody {
    /// The kind of the connector.
    pub kind: ConnectorKind,
    /// The options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<CustomConnectorOptions>,
}

/// The options of a connector of the kind `Custom`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CustomConnectorOptions {
    /// How the service authenticates requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_method: Option<ConnectorAuthenticationMethod>,
    /// The URL that endpoints have unless they choose another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_url: Option<String>,
}

/// How a service authenticates requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ConnectorAuthenticationMethod {
    /// A bearer token.
    HttpBearer,
    /// User name and password.
    HttpBasic,
}

/// A transformation that comes with the server, to make a connector of. A Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorTemplateOut {
    /// The service that it is for.
    pub kind: ConnectorKind,
    /// The name of the service.
    pub name: String,
    /// What it does.
    pub description: String,
    /// How to set it up, in Markdown.
    pub instructions: String,
    /// The URL to call, if it is the same for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The variables that the code needs.
    pub variables: Vec<ConnectorVariable>,
    /// JavaScript that defines a function `handler`.
    pub transformation: String,
    /// The page of the service that describes what is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
}

/// A variable of a transformation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectorVariable {
    /// Its name in `webhook.env`.
    pub name: String,
    /// Whether the code fails without it.
    pub required: bool,
    /// What it is, and where to find it.
    pub description: String,
}
