//! How requests to an endpoint are signed, if not by Standard Webhooks.

use serde::{Deserialize, Serialize};

use crate::api::ingest::{ModelText, SourceSecret};

/// Maximum number of secrets of a signing profile.
pub const MAX_SIGNING_SECRETS: usize = 10;

/// Maximum length of a secret of a signing profile in bytes.
pub const MAX_SIGNING_SECRET: usize = 8_192;

/// How requests to an endpoint are signed, so that a receiver that verified the webhooks of another
/// system keeps verifying them. A Postrider extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointSigning {
    /// `convoy`, `convoy-advanced`, `hook0`, `hook0-v0`, `hookdeck`, `outpost`,
    /// `outpost-timestamped`, or `custom` with a `model`.
    pub profile: String,
    /// How a `custom` profile signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelText>,
    /// Whether requests are also signed by Standard Webhooks, with the endpoint's own secret, while
    /// the receiver changes over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standard: bool,
    /// The secrets of the profile, newest first: 1 to 10, of which the first one has no `until`. If
    /// absent, the stored ones stay; an endpoint without any gets a generated one. Responses show
    /// `***`, and a request with `***` keeps the stored secret at its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_SIGNING_SECRETS)))]
    pub secrets: Option<Vec<SourceSecret>>,
}
