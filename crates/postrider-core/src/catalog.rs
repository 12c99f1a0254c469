//! What users configure: applications, endpoints, event types, sources, consumers.

mod authentication;
mod connector;
mod consumer;
mod digest;
mod disablement;
mod keys;
mod mode;
mod sealed;
mod settings;
mod signing;
mod task;

use std::{collections::BTreeMap, time::Duration};

use postrider::{
    ApplicationId, EndpointId, EventTypeName, OrganizationId, SourceId, TaskId, Uid,
    api::{EndpointKind, SchemaValidation},
};
use serde::{Deserialize, Serialize};

pub use self::{
    authentication::{
        AccessGrant, Authentication, ClientAuthentication, Credentials, Grant, GrantClaim,
        GrantType, JwtKey, OauthConfig, StoredIdentity,
    },
    connector::{AuthenticationMethod, Connector, ConnectorOptions},
    consumer::{Consumer, DeadBody, DeadLetter, MAX_DEAD_BODY, MAX_DEAD_HEADERS},
    digest::organization_digest,
    disablement::{DisableReason, DisabledBy, Disablement},
    keys::{AutoConfig, Integration},
    mode::ApplicationMode,
    sealed::{AtRest, SealedSecret},
    settings::OrganizationSettings,
    signing::{MAX_SIGNING_SECRETS, Signing, SigningSecret},
    task::{
        DeliveryCount, Period, Resend, ResendFilter, ResendPurpose, Subscriptions, Task,
        TaskCursor, TaskLease, TaskProgress, TaskResult, TaskState, TaskTotal, Work,
    },
};
use crate::{
    access::TokenCutoff,
    delivery::{DeliveryOrder, ResendMode},
    fields::Fields,
    polling::PollingToken,
    retry::AttemptLimit,
    time::Timestamp,
    transformation::Transformation,
};

/// Headers by name.
pub type Headers = BTreeMap<String, String>;

/// Free-form metadata of the user.
pub type Metadata = BTreeMap<String, String>;

/// A customer of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    pub id: ApplicationId,
    pub organization: OrganizationId,
    pub uid: Option<Uid>,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    pub name: String,
    pub metadata: Metadata,
    /// Most calls per second to all endpoints of the application together.
    pub throttle_rate: Option<u32>,
    #[serde(default, skip_serializing_if = "ApplicationMode::is_live")]
    pub mode: ApplicationMode,
    /// Tokens of the application that were revoked before they expired.
    pub ended_tokens: Vec<EndedToken>,
    /// Tokens of the application that were expired together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cutoffs: Vec<TokenCutoff>,
    /// Programs of others that may act for the application, each with a key of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub integrations: Vec<Integration>,
    /// Subscriptions whose receivers configure them, each with a key of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auto_configs: Vec<AutoConfig>,
    /// The settings of the organization, if the server created the application for it; an
    /// application of a client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<OrganizationSettings>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A token that was revoked before it expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedToken {
    /// Identifies the token, but cannot be used in its place.
    pub digest: [u8; 16],
    /// When the token would have expired.
    pub until: Timestamp,
}

/// One receiver of an application's messages and its settings.
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: EndpointId,
    pub application: ApplicationId,
    pub uid: Option<Uid>,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    #[serde(default, skip_serializing_if = "EndpointKind::is_http")]
    pub kind: EndpointKind,
    /// Configuration of the kind, as the client specified it; empty for [`EndpointKind::Http`].
    /// It may contain credentials.
    #[serde(default, skip_serializing_if = "AtRest::is_empty")]
    pub config: AtRest<Fields>,
    /// The URL that is called, or where another kind leads to: a URL for people, without
    /// credentials.
    pub url: String,
    pub description: String,
    /// Event types that it gets; `None` for all.
    pub event_types: Option<Vec<EventTypeName>>,
    /// Channels that it gets; `None` for all.
    pub channels: Option<Vec<String>>,
    /// An expression that is true for the messages that it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Custom headers of every call. They may contain credentials.
    pub headers: AtRest<Headers>,
    pub metadata: Metadata,
    pub disabled: bool,
    /// Most calls per second.
    pub throttle_rate: Option<u32>,
    /// The rate holds for all nodes together.
    #[serde(default)]
    pub strict_rate: bool,
    #[serde(default)]
    pub ordering: Ordering,
    /// Whether several messages are sent with one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchLimits>,
    /// When a message that keeps failing is skipped.
    #[serde(default, skip_serializing_if = "AttemptLimit::is_schedule")]
    pub attempt_limit: AttemptLimit,
    /// It is not called; its messages wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// When a client last asked that what waits is sent at once. Every node follows a change of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_requested_at: Option<Timestamp>,
    /// Code that changes what is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformation: Option<Box<Transformation>>,
    /// Certificates in PEM. If there are any, only these are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_certificates: Option<String>,
    /// Requests have the trace context of their attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forward_trace_context: bool,
    /// How requests authenticate, in addition to their signature.
    #[serde(default, skip_serializing_if = "Authentication::is_empty")]
    pub authentication: Authentication,
    /// Tokens that only poll this endpoint, newest first; those of kind `polling` have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub polling_tokens: Vec<PollingToken>,
    /// How requests are signed; by Standard Webhooks if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Box<Signing>>,
    pub secret: SealedSecret,
    /// Rotated secrets that still sign, newest first; at most [`MAX_RETIRED_SECRETS`].
    pub retired_secrets: Vec<RetiredSecret>,
    /// Why the endpoint is disabled, if it is and that was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disablement: Option<Disablement>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// Whether nothing is delivered to the endpoint now.
    pub const fn is_stopped(&self) -> bool {
        self.disabled || self.paused
    }

    /// How a delivery to this endpoint is ordered. The log of a `polling` endpoint always has the
    /// order of acceptance. A message that is to be delivered at a certain time has no place in an
    /// order, because it would delay all messages after it.
    pub fn delivery_order(
        &self,
        deliver_at: Option<Timestamp>,
        is_shared_store: bool,
    ) -> DeliveryOrder {
        let is_strict = self.strict_rate && self.throttle_rate.is_some();
        let is_in_order = self.ordering == Ordering::Fifo || self.kind == EndpointKind::Polling;
        match deliver_at {
            None if is_in_order => DeliveryOrder::InOrder,
            _ if is_shared_store && (is_in_order || is_strict) => DeliveryOrder::Owned,
            _ => DeliveryOrder::Any,
        }
    }
}

/// How many messages an endpoint gets with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchLimits {
    /// Most messages of a call, from 1 to 1000.
    pub size: u16,
    /// How long the first message waits for others, from 0 to 300 seconds.
    #[serde(default)]
    pub max_wait_seconds: u16,
}

/// Whether the deliveries of an endpoint keep the order of their messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ordering {
    #[default]
    Any,
    /// One at a time, in the order of acceptance.
    Fifo,
}

/// Most rotated secrets that an endpoint keeps.
pub const MAX_RETIRED_SECRETS: usize = 10;

/// A secret that was rotated and still signs for a while, in addition to the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredSecret {
    pub secret: SealedSecret,
    pub until: Timestamp,
}

/// A kind of event of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventType {
    pub organization: OrganizationId,
    pub name: EventTypeName,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    pub description: String,
    pub archived: bool,
    pub deprecated: bool,
    /// JSON schemas by version, as JSON text.
    pub schemas: Option<String>,
    /// What happens to a payload that does not match the newest schema; `None` if the settings of
    /// the organization determine it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_validation: Option<SchemaValidation>,
    /// A token sees the event type only if it has one of these, when there are any.
    pub feature_flags: Vec<String>,
    pub group_name: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A URL that a provider sends webhooks to. They become messages of the application.
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub id: SourceId,
    pub organization: OrganizationId,
    /// The application that gets the messages.
    pub application: ApplicationId,
    /// The application was created for this source and is removed with it.
    pub owns_application: bool,
    pub uid: Option<Uid>,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    pub name: String,
    /// The `type` as the client specified it.
    pub kind: String,
    /// The id of a known provider, or `custom`.
    pub provider: String,
    /// How a `custom` provider signs, as JSON.
    pub model: Option<String>,
    /// Requests are accepted without verification, because that was explicitly disabled.
    pub is_open: bool,
    pub disabled: bool,
    pub metadata: Metadata,
    /// The last part of the inbound URL.
    pub token: SealedSecret,
    /// SHA-256 of the token, by which the source is found.
    pub token_digest: [u8; 32],
    /// Newest first; a request may be signed with any of them. At most [`MAX_SOURCE_SECRETS`].
    pub secrets: Vec<SourceSecret>,
    /// Extra parameters that some providers require, such as a verify token.
    pub parameters: BTreeMap<String, SealedSecret>,
    /// The inbound URL as the provider knows it, if it differs; some providers sign it. It may
    /// end with the token.
    pub public_url: Option<AtRest<String>>,
    /// The response to send instead of the one that the provider expects.
    pub response: Option<SourceResponse>,
    /// How long duplicates of an event are recognized; zero accepts every request.
    pub dedupe_window: Duration,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    pub dedupe_by_body: bool,
    /// How old a signature may be, if not the default of the provider.
    pub tolerance: Option<Duration>,
    /// Most bytes of a body, if not the server's limit.
    pub max_body: Option<u32>,
    /// Headers that are passed on; `None` for all except sensitive ones.
    pub forward_headers: Option<Vec<String>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Most secrets of a source, rotated ones included.
pub const MAX_SOURCE_SECRETS: usize = 10;

/// A secret of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSecret {
    pub secret: SealedSecret,
    /// A rotated secret still verifies until then.
    pub until: Option<Timestamp>,
}

/// A custom response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceResponse {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A background task that sends an endpoint's failed and cancelled deliveries again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    pub id: TaskId,
    pub application: ApplicationId,
    pub endpoint: EndpointId,
    /// Messages accepted at or after this time …
    pub since: Timestamp,
    /// … and before this one.
    pub until: Timestamp,
    #[serde(default)]
    pub mode: ResendMode,
}
