//! How a provider uses JSON Web Tokens, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{Encoding, Hash},
    token::JwtAlgorithm,
};

/// How a provider signs with JSON Web Tokens.
///
/// The parameters `issuer` and `audience` of a source are checked even if the model does not
/// require them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The location of the token: `header:NAME` (with or without `Bearer`), or `body`.
    pub token: TokenLocation,
    /// The allowed algorithms.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The location of the public keys, if the source has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyLocation>,
    /// The allowed issuers: claim `iss`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// Whether the claim `aud` must be the URL of the source, unless the parameter `audience` is
    /// set.
    #[serde(default, skip_serializing_if = "is_false")]
    pub audience_is_url: bool,
    /// Required values of other claims; `parameter:NAME` refers to a parameter of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Value>,
    /// The claim with a hash of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<BodyHash>,
    /// Maximum age in seconds: claim `iat`. Claims `exp` and `nbf` are checked if they are present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// Allowed difference between the clocks, in seconds.
    #[serde(default = "minute")]
    pub leeway_s: u64,
    /// Claims with the event type; the first present one counts. A path can lead into JSON that a
    /// claim contains as text: `data.eventType`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_type: Vec<String>,
    /// Claims with a unique id of the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_event_id: Vec<String>,
    /// Claims with another id of the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_id: Vec<String>,
}

/// The location of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenLocation {
    /// In a header.
    Header(String),
    /// The whole body.
    Body,
}

/// The location of public keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocation {
    /// A key set at this URL.
    Jwks(String),
    /// A key set at the URL in the parameter `jwks_url`.
    JwksParameter,
    /// Plaid's API, with the parameters `client_id` and `client_secret`.
    Plaid,
}

/// A hash of the body in a claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BodyHash {
    /// The claim.
    pub claim: String,
    /// The hash function.
    #[serde(default)]
    pub hash: Hash,
    /// The encoding of the hash.
    #[serde(default)]
    pub encoding: Encoding,
}

/// The text is not the location of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the location of a token; use header:NAME or body")]
pub struct InvalidTokenLocation(String);

impl TryFrom<String> for TokenLocation {
    type Error = InvalidTokenLocation;

    fn try_from(text: String) -> Result<Self, InvalidTokenLocation> {
        match text.strip_prefix("header:") {
            Some(name) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase())),
            None if text == "body" => Ok(Self::Body),
            Some(_) | None => Err(InvalidTokenLocation(text)),
        }
    }
}

impl From<TokenLocation> for String {
    fn from(location: TokenLocation) -> Self {
        match location {
            TokenLocation::Header(name) => format!("header:{name}"),
            TokenLocation::Body => "body".to_owned(),
        }
    }
}

const fn minute() -> u64 {
    60
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(it: &bool) -> bool {
    !*it
}
