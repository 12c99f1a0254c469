//! Tokens for the owners of applications.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        ApplicationIn,
        access::{Capability, Role},
    },
    id::ApiKeyId,
};

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

/// Maximum time until expired tokens end, in seconds.
pub const MAX_EXPIRE_SECONDS: u64 = 72 * 60 * 60;

/// Maximum number of sessions whose tokens one request expires.
pub const MAX_SESSIONS: usize = 1_000;

/// Expires the tokens of an application that have been created so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApplicationTokenExpireIn {
    /// Seconds until the tokens expire; they expire at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 259_200)))]
    pub expiry: Option<u64>,
    /// Only tokens of these sessions; all tokens if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1_000)))]
    pub session_ids: Option<Vec<String>>,
}

/// Expires the tokens of the organization that have been created so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrganizationTokenExpireIn {
    /// Seconds until the tokens expire; they expire at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 259_200)))]
    pub expiry: Option<u64>,
}

/// Minimum and maximum validity of a one-time token in seconds.
pub const ONE_TIME_SECONDS: std::ops::RangeInclusive<u64> = 1..=60 * 60;

/// Default validity of a one-time token in seconds.
pub const DEFAULT_ONE_TIME_SECONDS: u64 = 5 * 60;

/// Creates a one-time token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneTimeTokenCreateIn {
    /// What the token that it is exchanged for allows; `admin` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How long it can be exchanged, in seconds; five minutes if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 3_600)))]
    pub expiry: Option<u64>,
}

/// A one-time token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneTimeTokenCreatedOut {
    /// A sign-in link that contains the token.
    pub url: String,
    /// The token, which can be exchanged once.
    pub one_time_token: String,
}

impl fmt::Debug for OneTimeTokenCreatedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeTokenCreatedOut").finish_non_exhaustive()
    }
}

/// Exchanges a one-time token for a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneTimeTokenIn {
    /// The one-time token.
    pub one_time_token: String,
}

impl fmt::Debug for OneTimeTokenIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeTokenIn").finish_non_exhaustive()
    }
}

/// The token that a one-time token was exchanged for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneTimeTokenOut {
    /// The token.
    pub token: String,
    /// The capabilities of an application's token; empty for a token of the organization.
    pub capabilities: Vec<String>,
}

impl fmt::Debug for OneTimeTokenOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeTokenOut").finish_non_exhaustive()
    }
}

/// Creates a token that only publishes messages of one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateTokenIn {
    /// The name of the token.
    pub name: String,
    /// Validity of the token in seconds; it does not expire if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<u64>,
}

/// A new token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApiTokenOut {
    /// The token.
    pub token: String,
    /// The identifier that the server assigned: that of an API key.
    pub id: ApiKeyId,
    /// The name of the token.
    pub name: String,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token expires; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the token allows: the name of a role.
    pub scopes: Vec<String>,
}

impl fmt::Debug for ApiTokenOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokenOut").field("id", &self.id).finish_non_exhaustive()
    }
}
