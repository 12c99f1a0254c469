//! Tokens of readers: JSON Web Tokens for one endpoint, which the API does not accept.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use postrider::{ApplicationId, EndpointId, EventTypeName, OrganizationId};
use postrider_core::{live::Scope, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    api::error::ApiError,
    auth::authenticator::{EXPIRED, refused},
    settings::JwtSecret,
};

/// What distinguishes these tokens from those of the API, whose `sub` is never an endpoint.
const AUDIENCE: &str = "live";

/// What a reader may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveGrant {
    pub(crate) organization: OrganizationId,
    pub(crate) application: ApplicationId,
    pub(crate) endpoint: EndpointId,
    pub(crate) expires_at: Timestamp,
    pub(crate) scope: Scope,
    /// The application's token that created this one. If that is revoked, so is this.
    pub(crate) creator: Option<[u8; 16]>,
}

/// The claims, as JSON.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    aud: String,
    sub: EndpointId,
    org: OrganizationId,
    app: ApplicationId,
    iat: u64,
    /// In milliseconds: tokens may be valid for seconds only.
    exp_millis: u64,
    /// For programs that display tokens.
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<EventTypeName>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// Creates a token.
pub(crate) fn mint(grant: &LiveGrant, secret: &JwtSecret, now: Timestamp) -> String {
    let claims = Claims {
        aud: AUDIENCE.to_owned(),
        sub: grant.endpoint,
        org: grant.organization.clone(),
        app: grant.application,
        iat: now.as_seconds(),
        exp_millis: grant.expires_at.as_millis(),
        exp: grant.expires_at.as_millis().div_ceil(1_000),
        event_types: grant.scope.event_types.clone(),
        channels: grant.scope.channels.clone(),
        by: grant.creator.map(|it| format!("{:032x}", u128::from_be_bytes(it))),
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .expect("claims are plain JSON, and any bytes are a secret")
}

/// Verifies tokens.
pub(super) struct Verifier {
    keys: Vec<DecodingKey>,
    validation: Validation,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    pub(super) fn new(secret: &JwtSecret) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The time is checked here, against the engine's clock.
        validation.validate_exp = false;
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["aud", "sub"]);
        Self { keys: secret.all().map(DecodingKey::from_secret).collect(), validation }
    }

    /// What the token grants.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<LiveGrant, ApiError> {
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation);
        let verified = self.keys.iter().find_map(|key| decode(key).ok());
        let claims = verified.map(|it| it.claims).ok_or_else(|| {
            refused(
                "this is not a token for a stream of this server; create one with POST \
                 /api/v1/app/{app}/endpoint/{endpoint}/live-token",
            )
        })?;
        let creator = claims.by.and_then(|it| u128::from_str_radix(&it, 16).ok());
        let grant = LiveGrant {
            organization: claims.org,
            application: claims.app,
            endpoint: claims.sub,
            expires_at: Timestamp::from_millis(claims.exp_millis),
            scope: Scope { event_types: claims.event_types, channels: claims.channels },
            creator: creator.map(u128::to_be_bytes),
        };
        if grant.expires_at <= now { Err(refused(EXPIRED)) } else { Ok(grant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token;

    fn grant() -> LiveGrant {
        LiveGrant {
            organization: "org_1".parse().unwrap(),
            application: ApplicationId::from_u128(1),
            endpoint: EndpointId::from_u128(2),
            expires_at: Timestamp::from_millis(10_500),
            scope: Scope {
                event_types: Some(vec!["a.b".parse().unwrap()]),
                channels: Some(vec!["one".to_owned()]),
            },
            creator: Some([0xab; 16]),
        }
    }

    #[test]
    fn a_token_grants_what_it_was_created_with_until_it_expires() {
        let secret = JwtSecret::rotating("new", ["old".to_owned()]);
        let at = Timestamp::from_millis;
        for signed_with in ["new", "old"] {
            let token = mint(&grant(), &JwtSecret::new(signed_with), at(1_000));
            assert_eq!(Verifier::new(&secret).verify(&token, at(10_499)).unwrap(), grant());
            assert!(Verifier::new(&secret).verify(&token, at(10_500)).is_err());
            assert!(Verifier::new(&JwtSecret::new("other")).verify(&token, at(1_000)).is_err());
        }
    }

    #[test]
    fn tokens_of_the_api_are_not_those_of_readers() {
        let secret = JwtSecret::new("secret");
        let now = Timestamp::from_millis(1_000);
        for application in [None, Some(token::ApplicationGrant::full(ApplicationId::from_u128(1)))]
        {
            let organization = grant().organization;
            let grant = token::Grant { application, ..token::Grant::of(organization) };
            let of_api = token::mint(&grant, &secret, now);
            assert!(Verifier::new(&secret).verify(&of_api, now).is_err());
        }
    }
}
