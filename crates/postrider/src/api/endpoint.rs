//! Endpoints: the receiving URLs of applications, their headers, secrets and recovery.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        Metadata,
        field::{Field, Patch, or_default, present},
        renamed::{EventTypes, ThrottleRate},
        time,
    },
    id::{EndpointId, TaskId},
    name::{EventTypeName, Uid},
};

/// Longest URL, in bytes.
pub const MAX_URL: usize = 65_536;

/// Most channels that an endpoint listens to.
pub const MAX_CHANNELS: usize = 10;

/// Longest channel name. Letters, digits and `-_.:+` may be in it.
pub const MAX_CHANNEL: usize = 128;

/// The punctuation that a channel name may have.
pub const CHANNEL_MARKS: &str = "-_.:+";

#[cfg(feature = "schema")]
pub(crate) const CHANNEL: &str = r"^[a-zA-Z0-9\-_.:+]{1,128}$";

/// Longest text of certificates to trust, in bytes.
pub const MAX_TRUSTED_CERTIFICATES: usize = 16_384;

/// Most seconds that a rotated secret keeps signing.
pub const MAX_GRACE_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Seconds that a rotated secret keeps signing if nothing else is said.
pub const DEFAULT_GRACE_SECONDS: u32 = 24 * 60 * 60;

/// The `version` of every endpoint that is written. It means nothing, but clients of the line
/// 1.x refuse an endpoint without one.
pub const VERSION: i32 = 1;

/// Fields of responses that clients may write back, which changes nothing.
#[cfg(feature = "schema")]
const IGNORED: [&str; 4] = ["id", "version", "createdAt", "updatedAt"];

/// Whether the deliveries of an endpoint keep the order of their messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndpointOrdering {
    /// Each as soon as it can be made.
    #[default]
    Any,
    /// One at a time, in the order in which the messages were accepted: one that fails holds
    /// up those behind it until it arrives or is given up.
    Fifo,
}

/// Creates an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointIn {
    /// Where to send: an `http` or `https` URL without credentials.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_URL), url))]
    pub url: String,
    /// The user's own identifier, unique in the application; good wherever the id is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// What people read about the endpoint.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub description: String,
    /// Whether calls are off.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub disabled: bool,
    /// The event types that the endpoint gets, which must exist; all if absent or `null`.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<String>>>,
    /// Messages with channels come only if one of theirs is here; 1 to 10 if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// Most calls in a second; 1 or more.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages; no if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` is counted over all nodes together; no if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_rate: Option<bool>,
    /// Certificates in PEM, of authorities or of the receiver itself: calls to the endpoint then
    /// trust these, and no others. Our own addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TRUSTED_CERTIFICATES)))]
    pub trusted_certificates: Option<String>,
    /// Words of the user's own.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
    /// The signing secret to use instead of a generated one: `whsec_…` (the prefix may be
    /// missing), or `whsk_…` for signatures that receivers verify with a public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Headers that every call to the endpoint carries.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for EndpointIn {
    /// Leaves out the secret, and the headers, which often carry credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointIn").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Replaces an endpoint, or creates it (`PUT`). Its secret and headers stay as they are;
/// they have operations of their own. So do `ordering`, `strictRate` and `trustedCertificates`
/// unless they are given: clients that do not know them are not to undo them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointUpdate {
    /// Where to send: an `http` or `https` URL without credentials.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_URL), url))]
    pub url: String,
    /// The user's own identifier, unique in the application; good wherever the id is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Option<String>,
    /// What people read about the endpoint.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub description: String,
    /// Whether calls are off.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub disabled: bool,
    /// The event types that the endpoint gets, which must exist; all if absent or `null`.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<String>>>,
    /// Messages with channels come only if one of theirs is here; 1 to 10 if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_CHANNELS)))]
    #[cfg_attr(feature = "schema", schemars(inner(regex(pattern = CHANNEL))))]
    pub channels: Option<Vec<String>>,
    /// Most calls in a second; 1 or more.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages; as it was if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` is counted over all nodes together; as it was if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_rate: Option<bool>,
    /// Certificates in PEM that calls trust, and no others; as they were if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TRUSTED_CERTIFICATES)))]
    pub trusted_certificates: Option<String>,
    /// Words of the user's own.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
}

impl From<EndpointUpdate> for EndpointIn {
    fn from(update: EndpointUpdate) -> Self {
        let EndpointUpdate {
            url,
            uid,
            description,
            disabled,
            event_types,
            channels,
            throttle_rate,
            ordering,
            strict_rate,
            trusted_certificates,
            metadata,
        } = update;
        Self {
            url,
            uid,
            description,
            disabled,
            event_types,
            channels,
            throttle_rate,
            ordering,
            strict_rate,
            trusted_certificates,
            metadata,
            secret: None,
            headers: BTreeMap::new(),
        }
    }
}

/// Changes some fields of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct EndpointPatch {
    /// Where to send.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1, max = MAX_URL), url))]
    pub url: Option<String>,
    /// The user's own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub uid: Patch<String>,
    /// What people read about the endpoint.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub description: Option<String>,
    /// Whether calls are off.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub disabled: Option<bool>,
    /// The event types that the endpoint gets; `null` means all. They must exist.
    #[serde(flatten)]
    pub event_types: EventTypes<Patch<Vec<String>>>,
    /// The channels that it listens to; `null` means all.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub channels: Patch<Vec<String>>,
    /// Most calls in a second; `null` removes the limit.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Patch<u16>>,
    /// Whether deliveries keep the order of their messages.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "EndpointOrdering"))]
    pub ordering: Option<EndpointOrdering>,
    /// Whether `throttleRate` is counted over all nodes together.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub strict_rate: Option<bool>,
    /// Certificates in PEM that calls trust, and no others; `null` removes them.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub trusted_certificates: Patch<String>,
    /// All metadata anew; fields that are not named are gone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
    /// A new signing secret, which replaces the old one at once. Only clients of the line 1.x
    /// send it; rotating is the better way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointOut {
    /// Our identifier.
    pub id: EndpointId,
    /// Where calls go.
    pub url: String,
    /// The user's own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// What people read about the endpoint.
    pub description: String,
    /// Whether calls are off.
    pub disabled: bool,
    /// The event types that the endpoint gets.
    #[serde(flatten)]
    pub event_types: EventTypes<Option<Vec<EventTypeName>>>,
    /// The channels that it listens to; all if there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Most calls in a second.
    #[serde(flatten)]
    pub throttle_rate: ThrottleRate<Option<u16>>,
    /// Whether deliveries keep the order of their messages.
    #[serde(default)]
    pub ordering: EndpointOrdering,
    /// Whether `throttleRate` is counted over all nodes together.
    #[serde(default)]
    pub strict_rate: bool,
    /// Certificates in PEM that calls trust, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_certificates: Option<String>,
    /// Words of the user's own. Clients insist on the field even if it is empty.
    pub metadata: Metadata,
    /// Always [`VERSION`].
    pub version: i32,
    /// When the endpoint was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The headers of an endpoint, all anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersIn {
    /// Names and values.
    pub headers: BTreeMap<String, String>,
}

/// Changes some headers of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersPatchIn {
    /// Values to set; `null` removes the header.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Option<String>>>"))]
    pub headers: BTreeMap<String, Option<String>>,
    /// Names of headers to remove. Both lines of clients send this rather than `null`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub delete_headers: Vec<String>,
}

/// The headers of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersOut {
    /// Names and values, without the sensitive ones.
    pub headers: BTreeMap<String, String>,
    /// Names of headers whose values are not shown, such as `authorization`.
    pub sensitive: BTreeSet<String>,
}

/// The signing secret of an endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointSecretOut {
    /// What receivers verify with: `whsec_…`, or `whpk_…` for an endpoint that signs with a
    /// private key.
    pub key: String,
}

impl fmt::Debug for EndpointSecretOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecretOut").finish_non_exhaustive()
    }
}

/// Replaces the signing secret of an endpoint. The answer is 200 with [`EndpointSecretOut`]:
/// clients of the line 2.x read it, those of 1.x expect 204 but take any success.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointSecretRotateIn {
    /// The new secret, `whsec_…` or `whsk_…`; generated if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long the old secret keeps signing beside the new one, in seconds; a day if absent,
    /// seven days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_GRACE_SECONDS)))]
    pub grace_period_seconds: Option<u32>,
}

impl fmt::Debug for EndpointSecretRotateIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecretRotateIn")
            .field("grace_period_seconds", &self.grace_period_seconds)
            .finish_non_exhaustive()
    }
}

/// How many deliveries of an endpoint stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointStats {
    /// Arrived.
    pub success: i64,
    /// Not called yet.
    pub pending: i64,
    /// Called without success, and to be called again.
    pub sending: i64,
    /// Given up.
    pub fail: i64,
    /// Ended because endpoint, application or payload were gone.
    pub canceled: i64,
}

/// How many deliveries of an endpoint have ended how; only clients of the line 2.x ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointAttemptStats {
    /// Arrived.
    pub success: u64,
    /// Given up.
    pub fail: u64,
    /// Ended because endpoint, application or payload were gone.
    pub canceled: u64,
}

/// Sends what failed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecoverIn {
    /// Messages accepted at or after this moment …
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// … and before this one; now, if absent.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
    /// Run the whole retry schedule again for what fails. Otherwise each delivery gets one
    /// attempt. Our own addition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

/// The background task that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecoverOut {
    /// Names the task.
    pub id: TaskId,
    /// How far it is.
    pub status: BackgroundTaskStatus,
    /// What it does.
    pub task: BackgroundTaskType,
    /// When that was so.
    pub updated_at: Timestamp,
}

/// How far a background task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum BackgroundTaskStatus {
    /// Still at work.
    Running,
    /// Done.
    Finished,
    /// Ended early.
    Failed,
}

/// What a background task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BackgroundTaskType {
    /// Sends the failed deliveries of an endpoint again.
    #[serde(rename = "endpoint.recover")]
    EndpointRecover,
}
