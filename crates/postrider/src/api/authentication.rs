//! Tokens for the owners of applications.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::api::ApplicationIn;

/// Minimum and maximum validity of an application's token in seconds.
pub const EXPIRY_SECONDS: std::ops::RangeInclusive<u64> = 60 * 60..=7 * 24 * 60 * 60;

/// Default validity of an application's token in seconds.
pub const DEFAULT_EXPIRY_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Maximum length of a session id, which has letters, digits and `@_-`.
pub const MAX_SESSION_ID: usize = 64;

/// Punctuation that a session id may contain.
pub const SESSION_ID_MARKS: &str = "@_-";

/// Creates a token for an application's owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppPortalAccessIn {
    /// The application to create if the one in the path does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationIn>,
    /// Event types with one of these flags are visible, in addition to those without flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<BTreeSet<String>>,
    /// What the token allows; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Validity of the token in seconds, from one hour to seven days; seven days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 3600, max = 604_800)))]
    pub expiry: Option<u64>,
    /// Identifies the session, so that its tokens can be distinguished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[a-zA-Z0-9@_\-]{1,64}$")))]
    pub session_id: Option<String>,
    /// Equivalent to `capabilities` with only `ViewBase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("deprecated" = true)))]
    pub read_only: Option<bool>,
}

/// What an application's token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Capability {
    /// Read everything except secrets.
    ViewBase,
    /// Read the secrets of endpoints.
    ViewEndpointSecret,
    /// Read and rotate the secrets of endpoints.
    ManageEndpointSecret,
    /// Change transformations. There are none, so this has no effect.
    ManageTransformations,
    /// Resend, recover, and send examples.
    CreateAttempts,
    /// Create, change and delete endpoints, including their secrets.
    ManageEndpoint,
}

/// An application's token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppPortalAccessOut {
    /// A login link that contains the token.
    pub url: String,
    /// The token.
    pub token: String,
}

impl fmt::Debug for AppPortalAccessOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppPortalAccessOut").finish_non_exhaustive()
    }
}
