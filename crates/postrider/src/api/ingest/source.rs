//! Sources.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ModelText, SourceSecret};
use crate::{
    api::{
        Metadata,
        field::{Field, Patch, or_default, present},
    },
    id::{ApplicationId, SourceId},
    name::{MAX_NAME, Uid},
};

/// Fields of responses that clients may send back without effect.
#[cfg(feature = "schema")]
const IGNORED: [&str; 8] = [
    "id",
    "ingestUrl",
    "status",
    "secretCount",
    "parameterNames",
    "createdAt",
    "updatedAt",
    "managedBy",
];

/// Maximum length of a source's name in characters.
pub const MAX_SOURCE_NAME: usize = MAX_NAME;

/// Maximum length of a source's uid, which has letters, digits, `-` and `_`.
pub const MAX_SOURCE_UID: usize = 60;

/// Maximum period in which duplicates are recognized, in seconds.
pub const MAX_DEDUPE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Default period in which duplicates are recognized, in seconds.
pub const DEFAULT_DEDUPE_SECONDS: u32 = 7 * 24 * 60 * 60;

#[cfg(feature = "schema")]
const UID: &str = "^(?!src_)[a-zA-Z0-9_-]{1,60}$";

/// Whether requests are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// Only requests that verify are accepted.
    Required,
    /// Every request is accepted, without verification.
    None,
}

/// Whether a source accepts requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SourceStatus {
    /// Requests that verify are accepted, or all requests if verification is disabled.
    Ready,
    /// The provider will send the secret with its first request.
    Pending,
    /// There is no secret, so every request is rejected.
    NoSecret,
    /// A required parameter is missing, so every request is rejected.
    NoParameter,
    /// The source is disabled, so every request is rejected.
    Disabled,
}

/// The response to accepted requests, instead of the one that the provider expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceResponse {
    /// The status code, 200 to 299: with all others, providers send the request again.
    #[cfg_attr(feature = "schema", schemars(range(min = 200, max = 299)))]
    pub status: u16,
    /// Headers, such as `content-type`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub headers: BTreeMap<String, String>,
    /// The body. In the body and in headers, `{json:data.id}` is replaced by that value of the
    /// request; likewise `{query:name}`, `{header:name}` and `{form:name}`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub body: String,
}

/// Settings for verification, with the names of the hosted API. The fields depend on the type.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(extend("x-ignored" = ["contentType", "payload", "schedule"]))
)]
#[serde(rename_all = "camelCase")]
pub struct SourceConfig {
    /// Equivalent to the only one of `secrets`: the signing secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Equivalent to the only one of `secrets`: the public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// Equivalent to the parameter `verify_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<String>,
    /// Equivalent to one of `secrets`: the value that identifies Adobe Sign's requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Equivalent to `toleranceSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_grace_seconds: Option<u32>,
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceConfig").finish_non_exhaustive()
    }
}

/// Creates a source, or replaces it (`PUT`). The fields from `secrets` on do not change if they are
/// absent, because clients may not know them. With another provider, however, the secrets and
/// parameters of the old one are removed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceIn {
    /// The name for people.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_SOURCE_NAME)))]
    pub name: String,
    /// Your own identifier, unique in the organization. It can be used wherever the id can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = UID)))]
    pub uid: Option<String>,
    /// Custom key-value pairs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
    /// The kind of sender: the id of a provider, a type of the hosted API, `generic-webhook` for
    /// requests that are not verified, or `custom` with a `model`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Settings for verification, in the form that clients of the hosted API use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<SourceConfig>,
    /// The provider, if the type is `generic-webhook`. Equivalent to giving it as the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The application that receives the messages, by id or uid; if absent, an application is
    /// created for the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Secrets for verification, at most 10. A request is accepted if any of them verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SourceSecret>>,
    /// Extra parameters that some providers require; `null` removes a parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, Option<String>>>,
    /// How a `custom` provider signs requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelText>,
    /// Whether requests are verified; by default, they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Whether every request is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The inbound URL that the provider uses, if it is not `ingestUrl`. Some providers sign it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub public_url: Patch<String>,
    /// The response to accepted requests, instead of the one that the provider expects.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub response: Patch<SourceResponse>,
    /// Period in seconds in which duplicates are recognized: 7 days if absent, at most 30 days. 0
    /// accepts every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_DEDUPE_SECONDS)))]
    pub dedupe_window_seconds: Option<u32>,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_by_body: Option<bool>,
    /// Maximum age of a signature in seconds; the provider's default if absent.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub tolerance_seconds: Patch<u32>,
    /// Maximum size of a body in bytes; the server's limit if absent.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub max_body: Patch<u32>,
    /// Headers that are forwarded; if absent, all headers that are not sensitive.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub forward_headers: Patch<Vec<String>>,
}

impl fmt::Debug for IngestSourceIn {
    /// Omits secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestSourceIn")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Changes some fields of a source.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourcePatch {
    /// The name for people.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", length(min = 1, max = MAX_SOURCE_NAME))
    )]
    pub name: Option<String>,
    /// Your own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = UID)))]
    pub uid: Patch<String>,
    /// Replaces all metadata.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
    /// Replaces all secrets; at most 10.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<SourceSecret>"))]
    pub secrets: Option<Vec<SourceSecret>>,
    /// Parameters to set; `null` removes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, Option<String>>>,
    /// How a `custom` provider signs requests.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ModelText"))]
    pub model: Option<ModelText>,
    /// Whether requests are verified.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Verification"))]
    pub verification: Option<Verification>,
    /// Whether every request is rejected.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub disabled: Option<bool>,
    /// The inbound URL that the provider uses; `null` means `ingestUrl`.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub public_url: Patch<String>,
    /// The response to accepted requests; `null` means the one that the provider expects.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub response: Patch<SourceResponse>,
    /// Period in seconds in which duplicates are recognized.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32", range(max = MAX_DEDUPE_SECONDS)))]
    pub dedupe_window_seconds: Option<u32>,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub dedupe_by_body: Option<bool>,
    /// Maximum age of a signature in seconds; `null` means the provider's default.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub tolerance_seconds: Patch<u32>,
    /// Maximum size of a body in bytes; `null` means the server's limit.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub max_body: Patch<u32>,
    /// Headers that are forwarded; `null` means all headers that are not sensitive.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub forward_headers: Patch<Vec<String>>,
}

impl fmt::Debug for IngestSourcePatch {
    /// Omits secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestSourcePatch").field("name", &self.name).finish_non_exhaustive()
    }
}

impl From<IngestSourceIn> for IngestSourcePatch {
    /// The changes of a request that creates or replaces a source, except for the type and the
    /// application.
    fn from(body: IngestSourceIn) -> Self {
        Self {
            name: Some(body.name),
            uid: body.uid.map_or(Patch::Clear, Patch::Set),
            metadata: Some(body.metadata),
            secrets: body.secrets,
            parameters: body.parameters,
            model: body.model,
            verification: body.verification,
            disabled: body.disabled,
            public_url: body.public_url,
            response: body.response,
            dedupe_window_seconds: body.dedupe_window_seconds,
            dedupe_by_body: body.dedupe_by_body,
            tolerance_seconds: body.tolerance_seconds,
            max_body: body.max_body,
            forward_headers: body.forward_headers,
        }
    }
}

/// The part of a [`SourceConfig`] that is not secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceConfigOut {
    /// The public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceOut {
    /// The identifier that the server assigned.
    pub id: SourceId,
    /// Your own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The name for people.
    pub name: String,
    /// The chosen type if clients of the hosted API know it, or else `generic-webhook`; then see
    /// `provider`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The settings that are not secret; absent for `generic-webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<SourceConfigOut>,
    /// The inbound URL. Give it only to the provider: everyone who knows it can send requests to
    /// it.
    pub ingest_url: String,
    /// The provider: its id, `custom`, or `generic-webhook` for any sender.
    pub provider: String,
    /// The application that receives the messages.
    pub app_id: ApplicationId,
    /// Whether the source accepts requests.
    pub status: SourceStatus,
    /// Whether requests are verified.
    pub verification: Verification,
    /// Whether every request is rejected.
    pub disabled: bool,
    /// The number of secrets.
    pub secret_count: usize,
    /// The names of the parameters that are set.
    pub parameter_names: Vec<String>,
    /// How a `custom` provider signs requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelText>,
    /// The inbound URL that the provider uses, if it is not `ingestUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The response to accepted requests, instead of the one that the provider expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<SourceResponse>,
    /// Period in seconds in which duplicates are recognized.
    pub dedupe_window_seconds: u32,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    pub dedupe_by_body: bool,
    /// Maximum age of a signature in seconds, if it is not the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
    /// Maximum size of a body in bytes, if it is not the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u32>,
    /// Headers that are forwarded; if absent, all headers that are not sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_headers: Option<Vec<String>>,
    /// Custom key-value pairs. Clients require the field even if it is empty.
    pub metadata: Metadata,
    /// When the source was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
    /// The set of declared records that it belongs to, if it was applied from files: applying them
    /// again undoes other changes. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
}

/// The new inbound URL of a source. The old one is no longer valid.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RotateTokenOut {
    /// The new inbound URL.
    pub ingest_url: String,
}

impl fmt::Debug for RotateTokenOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotateTokenOut").finish_non_exhaustive()
    }
}

/// Creates a token for a source's application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceConsumerPortalAccessIn {
    /// Validity of the token in seconds, from one hour to seven days; seven days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 3600, max = 604_800)))]
    pub expiry: Option<u64>,
    /// Whether the token allows only reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
