//! Endpoints: the receiving URLs of applications, their headers, secrets and recovery.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        Metadata,
        endpoint_authentication::EndpointAuthentication,
        endpoint_batch::EndpointBatch,
        endpoint_signing::EndpointSigning,
        field::{Field, Patch, or_default, present},
        kind::{EndpointConfig, EndpointKind},
        renamed::{EventTypes, ThrottleRate},
        time,
    },
    id::EndpointId,
    name::{EventTypeName, Uid},
};

#[cfg(feature = "schema")]
use crate::api::endpoint_batch::MAX_SKIP_AFTER;

/// Maximum length of a URL in bytes.
pub const MAX_URL: usize = 65_536;

/// Maximum number of channels of an endpoint.
pub const MAX_CHANNELS: usize = 10;

/// Maximum length of a channel name, which has letters, digits and `-_.:+`.
pub const MAX_CHANNEL: usize = 128;

/// Punctuation that a channel name may contain.
pub const CHANNEL_MARKS: &str = "-_.:+";

#[cfg(feature = "schema")]
pub(crate) const CHANNEL: &str = r"^[a-zA-Z0-9\-_.:+]{1,128}$";

/// Maximum length of a filter in bytes.
pub const MAX_FILTER: usize = 2_000;

/// Maximum size of trusted certificates in bytes.
pub const MAX_TRUSTED_CERTIFICATES: usize = 16_384;

/// The `version` of every endpoint in responses. It has no meaning, but 1.x clients require it.
pub const VERSION: i32 = 1;

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 5] = ["id", "version", "createdAt", "updatedAt", "managedBy"];

/// Whether the deliveries of an endpoint keep the order of their messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndpointOrdering {
    /// Each delivery is attempted as soon as possible.
    #[default]
    Any,
    /// One delivery at a time, in the order in which the messages were accepted. A failing delivery
    /// holds up the later ones until it succeeds or is given up.
    Fifo,
}

/// Creates an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointIn {
    /// The URL that receives the webhooks: `http` or `https`, without credentials. Required for the
    /// kind `http`; absent, or the URL of a response, for others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_URL), url))]
    pub url: String,
    /// What happens to messages; `http` if absent. It cannot be changed later.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "EndpointKind::is_http"
    )]
    #[cfg_attr(feature = "schema", schemars(with = "Option<EndpointKind>"))]
    pub kind: EndpointKind,
    /// The configuration of a kind other than `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<EndpointConfig>,
    /// Your own identifier, unique in the application. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// A description for people.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub description: String,
    /// Whether the endpoint receives no messages.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub disabled: bool,
    /// The event types that the endpoint receives, which must exist; all if absent or `null`.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<String>>>,
    /// The channels that the endpoint receives, 1 to 10 if given: only messages that share one of
    /// them. An endpoint without channels receives messages of all channels and of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// An expression over the message in CEL, for example `payload.amount > 100`. The endpoint
    /// receives only messages for which it is true; all if absent or empty. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Option<String>,
    /// Maximum number of attempts per second; at least 1.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages; by default, they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` applies to all nodes together; by default, each node counts for
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_rate: Option<bool>,
    /// Send several messages in one request; by default, each has its own. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<EndpointBatch>,
    /// Whether messages wait until the endpoint is resumed; by default, they do not. A Postrider
    /// extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// With the ordering `fifo`: the number of failed attempts after which a message is skipped; 0
    /// means never. By default, when its retry schedule is over. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_SKIP_AFTER)))]
    pub skip_after: Option<u16>,
    /// PEM certificates, of certificate authorities or of the receiver. Requests to the endpoint
    /// trust only these. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TRUSTED_CERTIFICATES)))]
    pub trusted_certificates: Option<String>,
    /// Whether requests have the headers `traceparent` and `tracestate`. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_trace_context: Option<bool>,
    /// The credential of every request. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<EndpointAuthentication>,
    /// How requests are signed; by Standard Webhooks if absent. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<EndpointSigning>,
    /// Custom key-value pairs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
    /// The signing secret to use instead of a generated one: `whsec_…` (the prefix is optional), or
    /// `whsk_…` for signatures that receivers verify with a public key. If only a signing profile
    /// signs, the secret of the profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Headers that every request to the endpoint has.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for EndpointIn {
    /// Omits the secret, and the headers, which often contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointIn").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Replaces an endpoint, or creates it (`PUT`). The secret and the headers do not change; they have
/// their own operations. `kind`, `config`, `filter`, `ordering`, `strictRate`, `batch`, `paused`,
/// `skipAfter`, `trustedCertificates`, `forwardTraceContext`, `authentication` and `signing` do not
/// change if they are absent, so that clients that do not know them cannot reset them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointUpdate {
    /// The URL that receives the webhooks: `http` or `https`, without credentials. Required for the
    /// kind `http`; absent, or the URL of a response, for others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_URL), url))]
    pub url: String,
    /// What happens to messages; unchanged if absent. The kind of an existing endpoint cannot be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<EndpointKind>,
    /// The configuration of a kind other than `http`; unchanged if absent. `***` keeps a
    /// stored credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<EndpointConfig>,
    /// Your own identifier, unique in the application. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// A description for people.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub description: String,
    /// Whether the endpoint receives no messages.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub disabled: bool,
    /// The event types that the endpoint receives, which must exist; all if absent or `null`.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<String>>>,
    /// The channels that the endpoint receives, 1 to 10 if given: only messages that share one of
    /// them. An endpoint without channels receives messages of all channels and of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// An expression over the message in CEL. The endpoint receives only messages for which it is
    /// true. Unchanged if absent, removed if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Option<String>,
    /// Maximum number of attempts per second; at least 1.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` applies to all nodes together; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_rate: Option<bool>,
    /// Send several messages in one request; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<EndpointBatch>,
    /// Whether messages wait until the endpoint is resumed; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// The number of failed attempts after which a message is skipped; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_SKIP_AFTER)))]
    pub skip_after: Option<u16>,
    /// PEM certificates that requests to the endpoint trust exclusively; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TRUSTED_CERTIFICATES)))]
    pub trusted_certificates: Option<String>,
    /// Whether requests have the headers `traceparent` and `tracestate`; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_trace_context: Option<bool>,
    /// The credential of every request; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<EndpointAuthentication>,
    /// How requests are signed; unchanged if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<EndpointSigning>,
    /// Custom key-value pairs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
}

impl From<EndpointUpdate> for EndpointIn {
    fn from(update: EndpointUpdate) -> Self {
        let EndpointUpdate {
            url,
            kind,
            config,
            uid,
            description,
            disabled,
            event_types,
            channels,
            filter,
            throttle_rate,
            ordering,
            strict_rate,
            batch,
            paused,
            skip_after,
            trusted_certificates,
            forward_trace_context,
            authentication,
            signing,
            metadata,
        } = update;
        Self {
            url,
            kind: kind.unwrap_or_default(),
            config,
            uid,
            description,
            disabled,
            event_types,
            channels,
            filter,
            throttle_rate,
            ordering,
            strict_rate,
            batch,
            paused,
            skip_after,
            trusted_certificates,
            forward_trace_context,
            authentication,
            signing,
            metadata,
            secret: None,
            headers: BTreeMap::new(),
        }
    }
}

/// The update that makes an endpoint what the creation would have made it, except for its secret
/// and headers.
impl From<EndpointIn> for EndpointUpdate {
    fn from(it: EndpointIn) -> Self {
        Self {
            url: it.url,
            kind: Some(it.kind),
            config: it.config,
            uid: it.uid,
            description: it.description,
            disabled: it.disabled,
            event_types: it.event_types,
            channels: it.channels,
            filter: it.filter,
            throttle_rate: it.throttle_rate,
            ordering: Some(it.ordering.unwrap_or_default()),
            strict_rate: Some(it.strict_rate.unwrap_or_default()),
            batch: it.batch,
            paused: it.paused,
            skip_after: it.skip_after,
            trusted_certificates: it.trusted_certificates,
            forward_trace_context: Some(it.forward_trace_context.unwrap_or_default()),
            authentication: it.authentication,
            signing: it.signing,
            metadata: it.metadata,
        }
    }
}

/// Changes some fields of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointPatch {
    /// The URL that receives the webhooks.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1, max = MAX_URL), url))]
    pub url: Option<String>,
    /// The kind that the endpoint has, which cannot be changed.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "EndpointKind"))]
    pub kind: Option<EndpointKind>,
    /// The configuration of a kind other than `http`, complete. `***` keeps a stored
    /// credential.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "EndpointConfig"))]
    pub config: Option<EndpointConfig>,
    /// Your own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Patch<String>,
    /// A description for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub description: Option<String>,
    /// Whether the endpoint receives no messages.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub disabled: Option<bool>,
    /// The event types that the endpoint receives, which must exist; `null` means all.
    #[serde(flatten)]
    pub event_types: EventTypes<Patch<Vec<String>>>,
    /// The channels that the endpoint receives; `null` means all.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub channels: Patch<Vec<String>>,
    /// An expression over the message in CEL. The endpoint receives only messages for which it is
    /// true; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_FILTER)))]
    pub filter: Patch<String>,
    /// Maximum number of attempts per second; `null` removes the limit.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Patch<u16>>,
    /// Whether deliveries keep the order of their messages.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "EndpointOrdering"))]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` applies to all nodes together.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub strict_rate: Option<bool>,
    /// Send several messages in one request; `null`: each has its own.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub batch: Patch<EndpointBatch>,
    /// Whether messages wait until the endpoint is resumed.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub paused: Option<bool>,
    /// The number of failed attempts after which a message is skipped, 0 for never; `null`: when
    /// its retry schedule is over.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_SKIP_AFTER)))]
    pub skip_after: Patch<u16>,
    /// PEM certificates that requests to the endpoint trust exclusively; `null` removes them.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub trusted_certificates: Patch<String>,
    /// Whether requests have the headers `traceparent` and `tracestate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_trace_context: Option<bool>,
    /// The credential of every request; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub authentication: Patch<EndpointAuthentication>,
    /// How requests are signed; `null`: by Standard Webhooks.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub signing: Patch<EndpointSigning>,
    /// Replaces all metadata.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
    /// A new signing secret, which replaces the old one at once. Only 1.x clients send it; prefer
    /// to rotate the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An endpoint.
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointOut {
    /// The identifier that the server assigned.
    pub id: EndpointId,
    /// The URL that receives the webhooks, or where an endpoint of another kind leads to, without
    /// credentials.
    pub url: String,
    /// What happens to messages.
    #[serde(default)]
    pub kind: EndpointKind,
    /// The configuration of a kind other than `http`, with `***` instead of credentials. Lists of
    /// a message's endpoints omit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<EndpointConfig>,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// A description for people.
    pub description: String,
    /// Whether the endpoint receives no messages.
    pub disabled: bool,
    /// The event types that the endpoint receives.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<EventTypeName>>>,
    /// The channels that the endpoint receives; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// An expression over the message in CEL. The endpoint receives only messages for which it is
    /// true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Maximum number of attempts per second.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages.
    #[serde(default)]
    pub ordering: EndpointOrdering,
    /// Whether `throttleRate` applies to all nodes together.
    #[serde(default)]
    pub strict_rate: bool,
    /// How many messages a request has; one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<EndpointBatch>,
    /// Whether messages wait until the endpoint is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// The number of failed attempts after which a message is skipped, 0 for never; when its retry
    /// schedule is over if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_after: Option<u16>,
    /// PEM certificates that requests to the endpoint trust exclusively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_certificates: Option<String>,
    /// Whether requests have the headers `traceparent` and `tracestate`; `false` if absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forward_trace_context: bool,
    /// The credential of every request, with `***` instead of its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<EndpointAuthentication>,
    /// How requests are signed, with `***` instead of secrets; by Standard Webhooks if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<EndpointSigning>,
    /// Custom key-value pairs. Clients require the field even if it is empty.
    pub metadata: Metadata,
    /// Always [`VERSION`].
    pub version: i32,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

/// The certificates that requests to an endpoint trust: its `trustedCertificates`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointServerCaOut {
    /// PEM certificates; `null` if those of the system are trusted.
    pub cert: Option<String>,
}

/// Replaces the certificates that requests to an endpoint trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointServerCaIn {
    /// PEM certificates; `null` to trust those of the system.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TRUSTED_CERTIFICATES)))]
    pub cert: Option<String>,
}

/// Numbers of an endpoint's deliveries by status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointStats {
    /// Delivered.
    pub success: i64,
    /// Not attempted yet.
    pub pending: i64,
    /// Failed so far, and will be retried.
    pub sending: i64,
    /// Given up after all attempts failed.
    pub fail: i64,
    /// Cancelled because the endpoint, the application or the payload was deleted.
    pub canceled: i64,
}

/// Numbers of an endpoint's attempts by result. Only 2.x clients request them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointAttemptStats {
    /// Attempts that delivered their message.
    pub success: u64,
    /// Attempts that failed.
    pub fail: u64,
    /// Always zero: an attempt is never cancelled.
    pub canceled: u64,
}

/// Resends the deliveries that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecoverIn {
    /// Start of the period in which the messages were accepted, inclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// End of the period, exclusive; now if absent.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
    /// Whether a failure starts the retry schedule again. By default, each delivery gets one
    /// attempt. A Postrider extension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}
