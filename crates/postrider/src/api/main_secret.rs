//! The rotation of the main secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The main secrets of the node that responds, and what they encrypt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MainSecretOut {
    /// The configured secrets, the one that encrypts first.
    pub secrets: Vec<MainSecretUse>,
    /// Whether all stored values were encrypted with the first secret when they were last looked
    /// at. The other secrets can then be removed, once all nodes have the same first secret.
    pub complete: bool,
    /// Values that were not, including those in plaintext.
    pub outdated_values: u64,
    /// Values that an older version stored in plaintext.
    pub plaintext_values: u64,
    /// Records that none of the secrets decrypts.
    pub unreadable_records: u64,
    /// When the node last looked at all values; `null` if it has not had to.
    pub checked_at: Option<Timestamp>,
}

/// A main secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MainSecretUse {
    /// Identifies the secret without revealing it.
    pub fingerprint: String,
    /// Whether new values are encrypted with it.
    pub current: bool,
    /// Values that were encrypted with it when the node last looked at all of them; `null` if it
    /// has not had to.
    pub values: Option<u64>,
}
