//! API keys: who may use them, for what, and until when. The key itself is not stored.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use postrider::{ApiKeyId, ApplicationId, OrganizationId, api::Role};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Every key begins with this, so that people and secret scanners recognize it.
pub const KEY_PREFIX: &str = "prk_";

/// Time between two records of the last use of a key.
pub const USE_INTERVAL: Duration = Duration::from_secs(60);

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub organization: OrganizationId,
    pub name: String,
    pub role: Role,
    /// The only application that the key is for.
    pub application: Option<ApplicationId>,
    /// SHA-256 of the key, by which it is found. A key has 256 random bits, so that a plain hash
    /// reveals nothing.
    pub digest: [u8; 32],
    /// The end of the key, to recognize it.
    pub ending: String,
    pub expires_at: Option<Timestamp>,
    /// The id of the principal that created it.
    pub created_by: String,
    pub created_at: Timestamp,
}

/// When a key was last used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyUse {
    pub key: ApiKeyId,
    pub organization: OrganizationId,
    pub at: Timestamp,
}

/// The text of a key with these random bits.
pub fn key_of(random: &[u8; 32]) -> String {
    format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_prefix_and_all_its_bits() {
        assert_eq!(key_of(&[0; 32]), format!("prk_{}", "A".repeat(43)));
        assert_ne!(key_of(&[1; 32]), key_of(&[2; 32]));
    }
}
