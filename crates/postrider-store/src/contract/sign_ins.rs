//! Sessions of people who signed in through an identity provider.

use std::fmt;

use async_trait::async_trait;
use postrider::OrganizationId;
use postrider_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Expired sessions that are removed when a new one begins.
pub(crate) const REMOVED_PER_SIGN_IN: usize = 100;

/// The session of a person who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignIn {
    pub organization: OrganizationId,
    /// The name of the role. The store does not know which roles exist.
    pub role: String,
    /// Identifies the person at the identity provider.
    pub subject: String,
    /// For people: an email address or a name.
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Reads sessions. They begin and end with a [`Change`](super::audit::Change), which has effect on
/// all nodes at once, and are kept until they expire.
#[async_trait]
pub trait SignIns: Send + Sync + fmt::Debug + 'static {
    /// The session of the token with this digest, even if it has expired.
    async fn sign_in(&self, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError>;
}
