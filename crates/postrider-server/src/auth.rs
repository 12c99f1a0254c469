//! Who is calling, and what they may do.

pub(crate) mod token;

use std::{collections::BTreeSet, str::FromStr, sync::Arc, time::Duration};

use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use postrider::{ApplicationId, OrganizationId, api::Capability};
use postrider_core::{budget::CallerKey, time::Timestamp};
use postrider_engine::Cache;
use sha2::{Digest, Sha256};

use crate::{
    api::error::ApiError,
    auth::token::{ApplicationGrant, Claims, Grant},
    settings::JwtSecret,
};

/// How far the clock of whoever made the token may be off.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);

/// Whoever a token was made for.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) grant: Grant,
    /// Tells the token from others.
    pub(crate) token: [u8; 16],
    /// Whose share of the memory its requests take.
    pub(crate) holder: CallerKey,
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing, not even a token.
    Anyone,
    /// A token of the organization.
    Organization,
    /// A token of the organization, or one of an application that has the capability.
    Application(Capability),
}

impl Access {
    pub(crate) fn check(self, caller: &Caller) -> Result<(), ApiError> {
        match (self, &caller.grant.application) {
            (Self::Anyone, _) | (_, None) => Ok(()),
            (Self::Organization, Some(_)) => {
                Err(ApiError::Forbidden("this needs a token of the organization"))
            },
            (Self::Application(capability), Some(application)) if may(application, capability) => {
                Ok(())
            },
            (Self::Application(_), Some(_)) => {
                Err(ApiError::Forbidden("the token does not have the capability for this"))
            },
        }
    }
}

fn may(application: &ApplicationGrant, wanted: Capability) -> bool {
    let Some(capabilities) = &application.capabilities else { return true };
    let has = |it| capabilities.contains(&it);
    match wanted {
        // Whoever may do anything may look at it.
        Capability::ViewBase => !capabilities.is_empty(),
        Capability::ViewEndpointSecret => {
            has(Capability::ViewEndpointSecret)
                || has(Capability::ManageEndpointSecret)
                || has(Capability::ManageEndpoint)
        },
        Capability::ManageEndpointSecret => {
            has(Capability::ManageEndpointSecret) || has(Capability::ManageEndpoint)
        },
        Capability::CreateAttempts
        | Capability::ManageEndpoint
        | Capability::ManageTransformations => has(wanted),
    }
}

/// Tells callers by their tokens, and remembers the ones that it has verified.
pub(crate) struct Doorkeeper {
    /// Any of them may have signed a token.
    keys: Vec<DecodingKey>,
    validation: Validation,
    /// Digests of the secrets that tokens are signed with.
    secrets: Vec<[u8; 32]>,
    remembered: Cache<Box<str>, Verified>,
}

impl std::fmt::Debug for Doorkeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorkeeper").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Verified {
    caller: Arc<Caller>,
    not_before: Timestamp,
    expires_at: Timestamp,
}

impl Doorkeeper {
    pub(crate) fn new(secret: &JwtSecret, capacity: usize) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked here, against the clock that everything else goes by.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims::<&str>(&[]);
        Self {
            keys: secret.all().map(DecodingKey::from_secret).collect(),
            validation,
            secrets: secret.all().map(|it| Sha256::digest(it).into()).collect(),
            remembered: Cache::new(capacity),
        }
    }

    /// What the request's token allows.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Arc<Caller>, ApiError> {
        let token = bearer(headers)?;
        let verified = match self.remembered.get(token) {
            Some(verified) => verified,
            None => self.verify(token)?,
        };
        if now + LEEWAY < verified.not_before {
            return Err(refused("the token is not valid yet"));
        }
        if verified.expires_at + LEEWAY <= now {
            return Err(refused("the token has expired"));
        }
        Ok(verified.caller)
    }

    /// Why a token does not verify. Digests are compared, so that the time that takes says
    /// nothing about the secret.
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

    /// What the token says, if one of the secrets signed it.
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
        let holder = holder(&grant);
        let verified = Verified {
            not_before,
            expires_at: expires_at.unwrap_or(Timestamp::MAX),
            caller: Arc::new(Caller { grant, token: digest(token), holder }),
        };
        self.remembered.insert(token.into(), verified.clone());
        Ok(verified)
    }
}

/// An application's tokens share what they hold, and so do an organization's own.
fn holder(grant: &Grant) -> CallerKey {
    let organization = || CallerKey::from_be_bytes(digest(grant.organization.as_str()));
    grant.application.as_ref().map_or_else(organization, |it| it.id.as_u128())
}

fn digest(token: &str) -> [u8; 16] {
    let digest = Sha256::digest(token);
    *digest.first_chunk().expect("the digest has 32 bytes")
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
            let application = ApplicationGrant { id, capabilities, feature_flags, session };
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

/// The moment that a token names in seconds; absurd ones become the nearest that exists.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts from floats saturate"
)]
fn moment(seconds: f64) -> Timestamp {
    Timestamp::from_millis(((seconds * 1_000.0) as u64).min(Timestamp::MAX.as_millis()))
}
