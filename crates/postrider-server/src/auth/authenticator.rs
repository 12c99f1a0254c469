//! Authentication of tokens.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use postrider::{ApplicationId, OrganizationId, api::Capability};
use postrider_core::time::Timestamp;
use postrider_engine::Cache;
use sha2::{Digest, Sha256};

use crate::{
    api::error::ApiError,
    auth::{
        principal::{Principal, digest},
        token::{ApplicationGrant, Claims, Grant, LEEWAY},
    },
    settings::JwtSecret,
};

/// Verifies tokens, and caches the principals of those that it has verified.
pub(crate) struct Authenticator {
    /// The keys that verify tokens.
    keys: Vec<DecodingKey>,
    validation: Validation,
    /// Digests of the secrets, to recognize a secret that is sent by mistake.
    secrets: Vec<[u8; 32]>,
    verified: Cache<Box<str>, Verified>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    not_before: Timestamp,
}

impl Authenticator {
    pub(crate) fn new(secret: &JwtSecret, capacity: usize) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked here, against the engine's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims::<&str>(&[]);
        Self {
            keys: secret.all().map(DecodingKey::from_secret).collect(),
            validation,
            secrets: secret.all().map(|it| Sha256::digest(it).into()).collect(),
            verified: Cache::new(capacity),
        }
    }

    /// The principal of the token in a request's headers.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Arc<Principal>, ApiError> {
        self.authenticate_token(bearer(headers)?, now)
    }

    /// The principal of a token.
    pub(crate) fn authenticate_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Principal>, ApiError> {
        let verified = match self.verified.get(token) {
            Some(verified) => verified,
            None => self.verify(token)?,
        };
        if now + LEEWAY < verified.not_before {
            return Err(refused("the token is not valid yet"));
        }
        if verified.principal.has_expired(now) {
            return Err(refused(EXPIRED));
        }
        Ok(verified.principal)
    }

    /// Why a token does not verify. Digests are compared instead of the texts, so that the time
    /// does not reveal the secret.
    fn refusal(&self, token: &str, kind: &ErrorKind) -> ApiError {
        let digest: [u8; 32] = Sha256::digest(token).into();
        if self.secrets.contains(&digest) {
            return refused(
                "this is the JWT secret, which signs tokens and must not be sent; \
                 make a token with `postrider token create`",
            );
        }
        refused(reason(kind))
    }

    /// The claims of a token that one of the secrets signed.
    fn claims(&self, token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation);
        let mut result = Err(ErrorKind::InvalidSignature.into());
        for key in &self.keys {
            result = decode(key);
            let is_of_another = |error: &jsonwebtoken::errors::Error| {
                matches!(error.kind(), ErrorKind::InvalidSignature)
            };
            if !result.as_ref().is_err_and(is_of_another) {
                break;
            }
        }
        Ok(result?.claims)
    }

    fn verify(&self, token: &str) -> Result<Verified, ApiError> {
        let claims = self.claims(token).map_err(|error| self.refusal(token, error.kind()))?;
        let expires_at = claims.exp.map(moment);
        let not_before = claims.nbf.map(moment).unwrap_or_default();
        let grant = grant(claims, expires_at)?;
        let principal = Arc::new(Principal::of_token(grant, digest(token)));
        let verified = Verified { principal, not_before };
        self.verified.insert(token.into(), verified.clone());
        Ok(verified)
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| refused("the Authorization header is missing"))?;
    let text = header.to_str().map_err(|_| refused("the Authorization header is not text"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused("the Authorization header is not of the form `Bearer <token>`")),
    }
}

fn grant(claims: Claims, expires_at: Option<Timestamp>) -> Result<Grant, ApiError> {
    let (organization, application) = match claims.org {
        None => (claims.sub.as_str(), None),
        Some(ref organization) => {
            let id =
                parse::<ApplicationId>(&claims.sub, "the token's `sub` is not an application")?;
            let feature_flags = claims.feature_flags.unwrap_or_default();
            let capabilities = match claims.read_only {
                Some(true) => Some(BTreeSet::from([Capability::ViewBase])),
                Some(false) | None => claims.capabilities,
            };
            let session = claims.sid;
            let key = claims.key.map(|claim| {
                claim.grant().ok_or_else(|| refused("the token's claims are malformed"))
            });
            let key = key.transpose()?;
            let application = ApplicationGrant { id, capabilities, feature_flags, session, key };
            (organization.as_str(), Some(application))
        },
    };
    let organization =
        parse::<OrganizationId>(organization, "the token does not name an organization (org_…)")?;
    Ok(Grant { organization, application, expires_at })
}

fn parse<T: FromStr>(text: &str, otherwise: &'static str) -> Result<T, ApiError> {
    text.parse().map_err(|_| refused(otherwise))
}

/// Why a token was refused that has been valid.
pub(crate) const EXPIRED: &str = "the token has expired";

pub(crate) fn refused(reason: &'static str) -> ApiError {
    ApiError::Unauthenticated(reason.into())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that may grow")]
const fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the token was not signed with this server's secret",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "the token is not signed with HS256"
        },
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => {
            "the token is not a JSON Web Token"
        },
        _ => "the token's claims are malformed",
    }
}

/// A time of a token, in seconds. Times out of range become the nearest valid one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floats saturate"
)]
fn moment(seconds: f64) -> Timestamp {
    Timestamp::from_millis(((seconds * 1_000.0) as u64).min(Timestamp::MAX.as_millis()))
}
