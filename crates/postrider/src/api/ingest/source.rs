//! What a source is.

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

/// Fields of responses that clients may write back, which changes nothing.
#[cfg(feature = "schema")]
const IGNORED: [&str; 7] =
    ["id", "ingestUrl", "status", "secretCount", "parameterNames", "createdAt", "updatedAt"];

/// Longest name of a source, in characters.
pub const MAX_SOURCE_NAME: usize = MAX_NAME;

/// Longest uid of a source. Letters, digits, `-` and `_` may be in it.
pub const MAX_SOURCE_UID: usize = 60;

/// Most seconds in which the same event id is not accepted again.
pub const MAX_DEDUPE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Seconds in which the same event id is not accepted again if nothing is said.
pub const DEFAULT_DEDUPE_SECONDS: u32 = 7 * 24 * 60 * 60;

#[cfg(feature = "schema")]
const UID: &str = "^(?!src_)[a-zA-Z0-9_-]{1,60}$";

/// Whether requests have to be genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// Only requests that verify are taken.
    Required,
    /// Every request is taken, whoever sent it.
    None,
}

/// Whether a source takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SourceStatus {
    /// Genuine requests are taken, or all, if it does not verify.
    Ready,
    /// The provider will hand over the secret with its first request.
    Pending,
    /// There is nothing to verify with, so every request is turned away.
    NoSecret,
    /// The provider needs a parameter that is not there, so every request is turned away.
    NoParameter,
    /// Every request is turned away, because somebody wanted that.
    Disabled,
}

/// What is answered to a provider in place of what it expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceResponse {
    /// The status code: 200 to 299, because everything else makes providers send it again.
    #[cfg_attr(feature = "schema", schemars(range(min = 200, max = 299)))]
    pub status: u16,
    /// Headers, such as `content-type`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub headers: BTreeMap<String, String>,
    /// The body. In it and in headers, `{json:data.id}` is replaced by what stands there in the
    /// request; so are `{query:name}`, `{header:name}` and `{form:name}`.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub body: String,
}

/// What a source needs to know of its provider, in the words of the hosted API. Which of the
/// fields there are depends on the type.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(
    feature = "schema",
    schemars(extend("x-ignored" = ["contentType", "payload", "schedule"]))
)]
#[serde(rename_all = "camelCase")]
pub struct SourceConfig {
    /// The signing secret; the one of `secrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The key that verifies; the one of `secrets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The same as the parameter `verify_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<String>,
    /// The same as one of `secrets`: what Adobe Sign tells its requests by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The same as `toleranceSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_grace_seconds: Option<u32>,
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceConfig").finish_non_exhaustive()
    }
}

/// Creates a source, or replaces it (`PUT`). Of the fields from `secrets` on, which clients
/// may not know, those that are absent stay as they are; but with another provider, nothing is
/// left of what the old one needed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("x-ignored" = IGNORED)))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceIn {
    /// What people call it.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_SOURCE_NAME)))]
    pub name: String,
    /// The user's own identifier, unique in the organization; good wherever the id is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = UID)))]
    pub uid: Option<String>,
    /// Words of the user's own.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Metadata>"))]
    pub metadata: Metadata,
    /// Who posts: the id of a provider, a type of the hosted API, `generic-webhook` for
    /// requests that are not verified, or `custom` with a `model`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What verifying needs, as clients of the hosted API give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<SourceConfig>,
    /// Who posts, if the type is `generic-webhook`; the same as giving it as the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The application that gets the messages, by id or uid; one of the source's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// What requests are verified with; any of them may have signed. 10 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<SourceSecret>>,
    /// What the provider needs beside; `null` removes a parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, Option<String>>>,
    /// How a `custom` provider signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelText>,
    /// Whether requests have to be genuine; yes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Whether every request is turned away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The inbound URL as the provider knows it, if not `ingestUrl`; some sign it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub public_url: Patch<String>,
    /// What is answered in place of what the provider expects.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub response: Patch<SourceResponse>,
    /// Seconds in which a repetition of an event is recognised: 7 days if absent, 30 days at
    /// most; 0 accepts every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_DEDUPE_SECONDS)))]
    pub dedupe_window_seconds: Option<u32>,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_by_body: Option<bool>,
    /// How old a signature may be, in seconds; as the provider has it if absent.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub tolerance_seconds: Patch<u32>,
    /// Most bytes of a body; the server's limit if absent.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub max_body: Patch<u32>,
    /// Headers that are passed on; all but the sensitive ones if absent.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub forward_headers: Patch<Vec<String>>,
}

impl fmt::Debug for IngestSourceIn {
    /// Leaves out what is secret.
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
    /// What people call it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", length(min = 1, max = MAX_SOURCE_NAME))
    )]
    pub name: Option<String>,
    /// The user's own identifier; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = UID)))]
    pub uid: Patch<String>,
    /// All metadata anew; fields that are not named are gone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Metadata"))]
    pub metadata: Option<Metadata>,
    /// What requests are verified with, all anew. 10 at most.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<SourceSecret>"))]
    pub secrets: Option<Vec<SourceSecret>>,
    /// Parameters to set; `null` removes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, Option<String>>>,
    /// How a `custom` provider signs.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "ModelText"))]
    pub model: Option<ModelText>,
    /// Whether requests have to be genuine.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Verification"))]
    pub verification: Option<Verification>,
    /// Whether every request is turned away.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub disabled: Option<bool>,
    /// The inbound URL as the provider knows it; `null` for `ingestUrl`.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub public_url: Patch<String>,
    /// What is answered; `null` for what the provider expects.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub response: Patch<SourceResponse>,
    /// Seconds in which a repetition of an event is recognised.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u32", range(max = MAX_DEDUPE_SECONDS)))]
    pub dedupe_window_seconds: Option<u32>,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "bool"))]
    pub dedupe_by_body: Option<bool>,
    /// How old a signature may be, in seconds; `null` for as the provider has it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub tolerance_seconds: Patch<u32>,
    /// Most bytes of a body; `null` for the server's limit.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub max_body: Patch<u32>,
    /// Headers that are passed on; `null` for all but the sensitive ones.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub forward_headers: Patch<Vec<String>>,
}

impl fmt::Debug for IngestSourcePatch {
    /// Leaves out what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestSourcePatch").field("name", &self.name).finish_non_exhaustive()
    }
}

impl From<IngestSourceIn> for IngestSourcePatch {
    /// What creating or replacing changes; the type and the application are not among it.
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

/// What is shown of a [`SourceConfig`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SourceConfigOut {
    /// The key that verifies, which is not secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceOut {
    /// Our identifier.
    pub id: SourceId,
    /// The user's own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// What people call it.
    pub name: String,
    /// The type that was chosen, if clients of the hosted API know it; `generic-webhook` for
    /// all others, which `provider` tells apart.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is shown of what was given; absent for `generic-webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<SourceConfigOut>,
    /// The inbound URL. Whoever knows it can post to it; keep it to the provider.
    pub ingest_url: String,
    /// Who posts: the id of a provider, `custom`, or `generic-webhook` for anybody.
    pub provider: String,
    /// The application that gets the messages.
    pub app_id: ApplicationId,
    /// Whether it takes requests.
    pub status: SourceStatus,
    /// Whether requests have to be genuine.
    pub verification: Verification,
    /// Whether every request is turned away.
    pub disabled: bool,
    /// How many secrets there are.
    pub secret_count: usize,
    /// The names of the parameters that are set.
    pub parameter_names: Vec<String>,
    /// How a `custom` provider signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelText>,
    /// The inbound URL as the provider knows it, if not `ingestUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// What is answered in place of what the provider expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<SourceResponse>,
    /// Seconds in which a repetition of an event is recognised.
    pub dedupe_window_seconds: u32,
    /// Whether requests with the same type, id and body are the same event, if there is no unique
    /// event id.
    pub dedupe_by_body: bool,
    /// How old a signature may be, in seconds, if not as the provider has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
    /// Most bytes of a body, if not the server's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u32>,
    /// Headers that are passed on, if not all but the sensitive ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_headers: Option<Vec<String>>,
    /// Words of the user's own. Clients insist on the field even if it is empty.
    pub metadata: Metadata,
    /// When the source was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The new inbound URL of a source; the old one is gone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RotateTokenOut {
    /// Where the provider posts from now on.
    pub ingest_url: String,
}

impl fmt::Debug for RotateTokenOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotateTokenOut").finish_non_exhaustive()
    }
}

/// Asks for a token of a source's application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestSourceConsumerPortalAccessIn {
    /// Seconds that the token is good for: an hour to seven days; seven days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 3600, max = 604_800)))]
    pub expiry: Option<u64>,
    /// Whether it may only look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
