//! JSON Web Tokens: where the token is, which issuers and algorithms are allowed, and which claims
//! are required. [`token`] verifies the signature.

mod claims;
mod keys;
mod signing;
mod token;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::signing::sign;
pub use self::token::JwtAlgorithm;
use self::token::Token;
use super::{
    Request, Settings, VerifyError,
    identity::SignedMetadata,
    model::{Encoding, Hash},
    values::Values,
    verify::SchemeMatch,
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
    /// Required values of other claims; `parameter:NAME` stands for a parameter of the source.
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

/// Checks the algorithm, then the claims, then the signature. The cheap checks come first, so that
/// an arbitrary request does not cause a key to be fetched.
pub(super) fn verify(
    jwt: &Jwt,
    settings: &Settings,
    values: &Values<'_>,
    now_seconds: u64,
) -> Result<SchemeMatch, VerifyError> {
    let (request, work) = (values.request, &values.work);
    let text = jwt.token.find(request)?;
    work.take(text.len()).ok_or(VerifyError::TooMuchWork)?;
    let token = Token::read(text)?;
    if !jwt.algorithms.contains(&token.algorithm) {
        return Err(VerifyError::Malformed("the token's algorithm is not allowed".into()));
    }
    let check = claims::Check { jwt, settings, request, claims: &token.claims, work };
    check.times(now_seconds)?;
    check.claims()?;
    check.body()?;
    let secret = keys::verify(jwt, settings, &token, work)?;
    let first = |paths: &[String]| claims::first(&token.claims, paths, work);
    let unique = first(&jwt.unique_event_id);
    Ok(SchemeMatch {
        secret,
        event_type: first(&jwt.event_type),
        event_id_is_unique: unique.is_some(),
        event_id: unique.or_else(|| first(&jwt.event_id)),
        // The claims include the time of issue.
        metadata: Some(SignedMetadata {
            parts: token.content.as_bytes().to_vec(),
            distinguishes_events: true,
        }),
        // A base64 signature has more than one valid spelling.
        unwrapped: (jwt.token == TokenLocation::Body).then(|| token.content.as_bytes().to_vec()),
    })
}

impl TokenLocation {
    fn find<'a>(&self, request: &Request<'a>) -> Result<&'a str, VerifyError> {
        match self {
            Self::Header(name) => {
                let missing = || VerifyError::Missing(format!("header:{name}"));
                let value = request.headers.get(name).ok_or_else(missing)?.trim();
                Ok(strip_bearer(value))
            },
            Self::Body => {
                let text = std::str::from_utf8(request.body).ok().map(str::trim);
                text.filter(|it| !it.is_empty()).ok_or_else(|| VerifyError::Missing("body".into()))
            },
        }
    }
}

fn strip_bearer(value: &str) -> &str {
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) | None => value,
    }
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
    fn from(place: TokenLocation) -> Self {
        match place {
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
