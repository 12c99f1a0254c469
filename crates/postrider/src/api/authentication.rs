//! Tokens for the customers of our user.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::api::ApplicationIn;

/// Fewest and most seconds that an application's token may be good for.
pub const EXPIRY_SECONDS: std::ops::RangeInclusive<u64> = 60 * 60..=7 * 24 * 60 * 60;

/// Seconds that an application's token is good for if nothing else is said.
pub const DEFAULT_EXPIRY_SECONDS: u64 = 7 * 24 * 60 * 60;

/// Longest session id. Letters, digits and `@_-` may be in it.
pub const MAX_SESSION_ID: usize = 64;

/// The punctuation that a session id may have.
pub const SESSION_ID_MARKS: &str = "@_-";

/// Asks for a token that an application's owner may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppPortalAccessIn {
    /// The application to create if the one in the path does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationIn>,
    /// The event types with one of these flags are visible beside those without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_flags: Option<BTreeSet<String>>,
    /// What the token may do; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Seconds that the token is good for: an hour to seven days; seven days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 3600, max = 604_800)))]
    pub expiry: Option<u64>,
    /// Names the session, so that its tokens can be told from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[a-zA-Z0-9@_\-]{1,64}$")))]
    pub session_id: Option<String>,
    /// The same as the one capability `ViewBase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(extend("deprecated" = true)))]
    pub read_only: Option<bool>,
}

/// What an application's token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Capability {
    /// Read everything but secrets.
    ViewBase,
    /// Read the secrets of endpoints.
    ViewEndpointSecret,
    /// Read and rotate the secrets of endpoints.
    ManageEndpointSecret,
    /// Change transformations; there are none, so this allows nothing.
    ManageTransformations,
    /// Resend, recover, and send examples.
    CreateAttempts,
    /// Create, change and delete endpoints, secrets included.
    ManageEndpoint,
}

/// An application's token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppPortalAccessOut {
    /// A page that takes the token from its own address.
    pub url: String,
    /// The token.
    pub token: String,
}

impl fmt::Debug for AppPortalAccessOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppPortalAccessOut").finish_non_exhaustive()
    }
}
