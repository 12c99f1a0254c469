//! Authentication of tokens.

use std::{collections::BTreeSet, str::FromStr, sync::Arc, time::Duration};

use http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use postrider::{
    ApplicationId, OrganizationId,
    api::{Capability, Role},
};
use postrider_core::{
    access::{ApiKey, KEY_PREFIX, TokenPolicy},
    polling::{TOKEN_PREFIX, TokenName},
    time::Timestamp,
};
use postrider_engine::{Cache, Engine};
use postrider_store::{IdOrUid, Records, StoreError};
use sha2::{Digest, Sha256};

use crate::{
    api::error::ApiError,
    auth::{
        key::{KeyGrant, KeyId},
        principal::{Principal, digest},
        token::{ApplicationGrant, Claims, Grant, LEEWAY, User},
    },
    settings::JwtSecret,
};

/// Verifies tokens and API keys, and caches the principals of those that it has verified.
pub(crate) struct Authenticator {
    engine: Engine,
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
    /// When the token was expired before its time.
    cut_off_at: Option<Timestamp>,
    /// [`Engine::access_generation`] before it was verified.
    generation: u64,
}

/// A one-time token that has been verified.
#[derive(Debug)]
pub(crate) struct OneTime {
    pub(crate) grant: Grant,
    /// How long the token is valid that it is exchanged for.
    pub(crate) lasts: Duration,
}

impl Authenticator {
    pub(crate) fn new(engine: Engine, secret: &JwtSecret, capacity: usize) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked here, against the engine's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims::<&str>(&[]);
        Self {
            engine,
            keys: secret.all().map(DecodingKey::from_secret).collect(),
            validation,
            secrets: secret.all().map(|it| Sha256::digest(it).into()).collect(),
            verified: Cache::new(capacity),
        }
    }

    /// The principal of the token in a request's headers.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Arc<Principal>, ApiError> {
        self.authenticate_token(bearer(headers)?, now).await
    }

    /// The principal of a token or an API key.
    pub(crate) async fn authenticate_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Principal>, ApiError> {
        let generation = self.engine.access_generation();
        let verified = match self.verified.get(token) {
            Some(verified) if verified.generation == generation => verified,
            Some(_) | None => self.verify(token, generation).await?,
        };
        if now + LEEWAY < verified.not_before {
            return Err(refused("the token is not valid yet"));
        }
        if verified.principal.has_expired(now) {
            return Err(refused(EXPIRED));
        }
        if verified.cut_off_at.is_some_and(|at| at <= now) {
            return Err(refused(CUT_OFF));
        }
        Ok(verified.principal)
    }

    /// A one-time token that can still be exchanged, unless that has been done.
    pub(crate) fn verify_one_time(&self, token: &str, now: Timestamp) -> Result<OneTime, ApiError> {
        let claims = self.claims(token).map_err(|error| self.refusal(token, error.kind()))?;
        let lasts = claims.once.ok_or_else(|| refused("this is not a one-time token"))?;
        let expires_at = claims.exp.map(moment);
        if expires_at.is_none_or(|at| at <= now) {
            return Err(refused("the one-time token has expired; create another one"));
        }
        let grant = grant(claims, expires_at)?;
        Ok(OneTime { grant, lasts: Duration::from_secs(lasts) })
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

    async fn verify(&self, token: &str, generation: u64) -> Result<Verified, ApiError> {
        let verified = if token.starts_with(TOKEN_PREFIX) {
            let principal = Arc::new(self.find_polling_token(token).await?);
            let not_before = Timestamp::default();
            Verified { principal, not_before, cut_off_at: None, generation }
        } else if token.starts_with(KEY_PREFIX) {
            let principal = Arc::new(self.find_key(token).await?);
            let not_before = Timestamp::default();
            Verified { principal, not_before, cut_off_at: None, generation }
        } else {
            self.verify_signed(token, generation).await?
        };
        self.verified.insert(token.into(), verified.clone());
        Ok(verified)
    }

    /// The principal of an API key.
    async fn find_key(&self, token: &str) -> Result<Principal, ApiError> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let found = self.engine.store().find::<ApiKey>(digest).await?;
        found.map(Principal::of_key).ok_or_else(|| refused("the API key does not exist"))
    }

    /// The principal of a token that polls an endpoint. With each request, the operation checks
    /// whether the endpoint still has the token.
    async fn find_polling_token(&self, token: &str) -> Result<Principal, ApiError> {
        let unknown = || refused("the polling token does not exist");
        let name = TokenName::of(token).ok_or_else(unknown)?;
        let entry = self.engine.directory().entry(name.application).await?;
        let entry = entry.ok_or_else(unknown)?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let endpoint = entry.endpoints.iter().find(|it| it.id == name.endpoint);
        let is_known =
            endpoint.is_some_and(|it| it.polling_tokens.iter().any(|it| it.digest == digest));
        if !is_known {
            return Err(unknown());
        }
        let key = KeyGrant { id: KeyId::Polling(name.endpoint), version: 0 };
        let application = ApplicationGrant {
            capabilities: Some(BTreeSet::new()),
            key: Some(key),
            ..ApplicationGrant::full(name.application)
        };
        let organization = entry.application.organization.clone();
        let grant = Grant { application: Some(application), ..Grant::of(organization) };
        let token = *digest.first_chunk().expect("the digest has 32 bytes");
        Ok(Principal::of_token(grant, token, Timestamp::MAX))
    }

    async fn verify_signed(&self, token: &str, generation: u64) -> Result<Verified, ApiError> {
        let claims = self.claims(token).map_err(|error| self.refusal(token, error.kind()))?;
        if claims.once.is_some() {
            return Err(refused("this is a one-time token; exchange it for a token first"));
        }
        let expires_at = claims.exp.map(moment);
        let not_before = claims.nbf.map(moment).unwrap_or_default();
        let issued_at = claims.iat.map(moment).unwrap_or_default();
        let grant = grant(claims, expires_at)?;
        let principal = Arc::new(Principal::of_token(grant, digest(token), issued_at));
        let cut_off_at = cut_off_at(&self.engine, &principal).await?;
        Ok(Verified { principal, not_before, cut_off_at, generation })
    }
}

/// When a token or a session of an organization was expired. Those of an application are checked
/// with each request, because the application is read anyway.
pub(crate) async fn cut_off_at(
    engine: &Engine,
    principal: &Principal,
) -> Result<Option<Timestamp>, StoreError> {
    if principal.grant.application.is_some() {
        return Ok(None);
    }
    let organization = principal.organization();
    let key = IdOrUid::Id(organization.clone());
    let policy = engine.store().get::<TokenPolicy>(organization, &key).await?;
    Ok(policy.and_then(|policy| principal.cut_off_at(&policy.cutoffs)))
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| refused("the Authorization header is missing"))?;
    // Faster than `HeaderValue::to_str`, which looks at each byte of a long token.
    let text = str::from_utf8(header.as_bytes())
        .map_err(|_| refused("the Authorization header is not text"))?;
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
    let role = claims.role.unwrap_or(Role::Admin);
    let user = claims.user.map(|subject| User { subject, name: claims.name });
    Ok(Grant { organization, application, expires_at, role, user })
}

fn parse<T: FromStr>(text: &str, otherwise: &'static str) -> Result<T, ApiError> {
    text.parse().map_err(|_| refused(otherwise))
}

/// Why a token was refused that has been valid.
pub(crate) const EXPIRED: &str = "the token has expired";

/// Why a token was refused that was expired together with others.
pub(crate) const CUT_OFF: &str = "the token was expired before its time; create another one";

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
