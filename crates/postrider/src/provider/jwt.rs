//! JSON Web Tokens: where the token is, which issuers and algorithms are allowed, and which claims
//! are required. [`token`] verifies the signature.

mod claims;
mod keys;
mod model;
mod signing;
mod token;

pub(super) use self::signing::sign;
use self::token::Token;
pub use self::{
    model::{BodyHash, InvalidTokenLocation, Jwt, KeyLocation, TokenLocation},
    token::JwtAlgorithm,
};
use super::{
    Request, Settings, VerifyError, identity::SignedMetadata, values::Values, verify::SchemeMatch,
};

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
