//! Tokens: their claims, and how they are created.

use std::{collections::BTreeSet, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use postrider::{ApplicationId, OrganizationId, api::Capability};
use postrider_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::{KeyClaim, KeyGrant};
use crate::settings::JwtSecret;

/// How far the clock of a token's issuer may be off.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);

/// What a token grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub organization: OrganizationId,
    /// The only application that the token is for; `None` for the whole organization.
    pub application: Option<ApplicationGrant>,
    /// When the token expires; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// What the token of an application grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationGrant {
    pub id: ApplicationId,
    /// The allowed capabilities; `None` for all.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Event types with feature flags are visible if one of them is listed.
    pub feature_flags: BTreeSet<String>,
    /// Identifies the session.
    pub session: Option<String>,
    /// The key that the token is, if it is one.
    pub key: Option<KeyGrant>,
}

impl ApplicationGrant {
    /// Everything that an application's token can grant.
    pub const fn full(id: ApplicationId) -> Self {
        Self { id, capabilities: None, feature_flags: BTreeSet::new(), session: None, key: None }
    }
}

/// The claims of a token, as JSON.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) org: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capabilities: Option<BTreeSet<Capability>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) feature_flags: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<KeyClaim>,
}

/// Creates a token that is valid from `now` on.
pub fn mint(grant: &Grant, secret: &JwtSecret, now: Timestamp) -> String {
    let claims = Claims::new(grant, now);
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .expect("claims are plain JSON, and any bytes are a secret")
}

impl Claims {
    fn new(grant: &Grant, now: Timestamp) -> Self {
        let organization = grant.organization.to_string();
        let application = grant.application.as_ref();
        let (sub, org) = match application {
            Some(application) => (application.id.to_string(), Some(organization)),
            None => (organization, None),
        };
        Self {
            sub,
            org,
            iss: Some("postrider".to_owned()),
            iat: Some(seconds(now)),
            nbf: Some(seconds(now)),
            exp: grant.expires_at.map(seconds),
            sid: application.and_then(|it| it.session.clone()),
            capabilities: application.and_then(|it| it.capabilities.clone()),
            read_only: None,
            feature_flags: application.map(|it| it.feature_flags.clone()),
            key: application.and_then(|it| it.key.as_ref()).map(KeyClaim::of),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a double for long")]
const fn seconds(at: Timestamp) -> f64 {
    at.as_seconds() as f64
}
