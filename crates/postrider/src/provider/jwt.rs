//! Signatures that are JSON Web Tokens: where the token is, who may have signed it with what,
//! and what it must say. Whether the signature is right is [`token`]'s.

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
/// The parameters `issuer` and `audience` of a source are looked at whether the model names them
/// or not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Where the token stands: `header:NAME` (with or without `Bearer`), or `body`.
    pub token: TokenLocation,
    /// What it may be signed with.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where the public keys are, if the source has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyLocation>,
    /// Who may have issued it: claim `iss`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// Whether it has to be meant for the URL of the source (claim `aud`), if the parameter
    /// `audience` says nothing else.
    #[serde(default, skip_serializing_if = "is_false")]
    pub audience_is_url: bool,
    /// What other claims must be; `parameter:NAME` stands for a parameter of the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Value>,
    /// The claim that holds a hash of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<BodyHash>,
    /// How many seconds old it may be: claim `iat`. Claims `exp` and `nbf` count if they are
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u64>,
    /// By how many seconds clocks may differ.
    #[serde(default = "minute")]
    pub leeway_s: u64,
    /// Claims that are the kind of event; the first that is there counts. Claims may hold JSON
    /// as text, into which the dots lead as well: `data.eventType`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_type: Vec<String>,
    /// Claims that are an id of the event that no other event has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_event_id: Vec<String>,
    /// Claims that are another id of the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_id: Vec<String>,
}

/// Where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenLocation {
    /// In a header.
    Header(String),
    /// It is the whole body.
    Body,
}

/// Where public keys are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocation {
    /// A set of keys at this URL.
    Jwks(String),
    /// A set of keys at the URL that the parameter `jwks_url` gives.
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
    /// What is hashed with.
    #[serde(default)]
    pub hash: Hash,
    /// How it is written down.
    #[serde(default)]
    pub encoding: Encoding,
}

/// The token has to be of an algorithm that is allowed, say what it must, and be signed. What
/// costs nothing is looked at first, so that not everyone can have keys fetched.
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
        return Err(VerifyError::Malformed(
            "the token's algorithm is not one of the provider's".into(),
        ));
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
        // Its claims say when it was issued.
        metadata: Some(SignedMetadata {
            parts: token.content.as_bytes().to_vec(),
            distinguishes_events: true,
        }),
        // A signature in base64 can be written in more than one way.
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

/// The text does not say where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a place of a token: header:NAME or body")]
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
