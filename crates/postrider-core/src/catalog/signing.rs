//! How requests to an endpoint are signed, if not by Standard Webhooks, as it is stored.

use serde::{Deserialize, Serialize};

use super::sealed::SealedSecret;
use crate::time::Timestamp;

/// Most secrets of a signing profile that an endpoint has.
pub const MAX_SIGNING_SECRETS: usize = 10;

/// The profile of an endpoint's signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The id of a known profile, or `custom`.
    pub profile: String,
    /// How a `custom` profile signs, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Requests are also signed by Standard Webhooks, with the endpoint's own secret.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standard: bool,
    /// Newest first; the first one does not expire.
    pub secrets: Vec<SigningSecret>,
}

/// A secret of a profile: a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    pub secret: SealedSecret,
    /// It signs until then; always if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
