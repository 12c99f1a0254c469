//! Tokens that are valid for polling one endpoint only.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use postrider::{ApiKeyId, ApplicationId, EndpointId};
use serde::{Deserialize, Serialize};

use crate::{catalog::SealedSecret, time::Timestamp};

/// What tokens begin with.
pub const TOKEN_PREFIX: &str = "sk_poll_";

/// Most tokens of an endpoint, those included that are replaced and still valid.
pub const MAX_POLLING_TOKENS: usize = 10;

/// Random bytes of a token.
const RANDOM: usize = 24;

/// Bytes of a token: two ids and the random ones.
const BYTES: usize = 16 + 16 + RANDOM;

/// A token of a polling endpoint. The newest is the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollingToken {
    /// Identifies the token, and cannot be used in its place.
    pub id: ApiKeyId,
    /// SHA-256 of the token, which requests are compared with.
    pub digest: [u8; 32],
    /// The token, for its owner to read.
    pub sealed: SealedSecret,
    pub created_at: Timestamp,
    /// `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl PollingToken {
    /// Whether the token is valid at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// What a token names: the endpoint that it is for. Whether it is valid, the endpoint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenName {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
}

impl TokenName {
    /// A token for this endpoint.
    pub fn token(self, random: [u8; RANDOM]) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(self.application.as_u128().to_be_bytes());
        bytes.extend(self.endpoint.as_u128().to_be_bytes());
        bytes.extend(random);
        format!("{TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the token names, if it has the form of one.
    pub fn of(token: &str) -> Option<Self> {
        let text = token.strip_prefix(TOKEN_PREFIX)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let id = |bytes: &[u8]| bytes.try_into().map(u128::from_be_bytes).ok();
        Some(Self {
            application: ApplicationId::from_u128(id(&bytes[..16])?),
            endpoint: EndpointId::from_u128(id(&bytes[16..32])?),
        })
    }
}
