//! Roles, API keys, and who the client of a request is.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    api::PrincipalKind,
    id::{ApiKeyId, ApplicationId},
    name::OrganizationId,
};

/// What the owner of an API key or a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Read everything except secrets.
    Viewer,
    /// Publish messages, and nothing else.
    Publisher,
    /// Everything except managing access, settings and the audit log.
    Operator,
    /// Everything.
    Admin,
}

/// What an operation requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Permission {
    /// Any valid key or token.
    Any,
    /// Read what is not secret.
    Read,
    /// Read secrets.
    ReadSecrets,
    /// Publish messages.
    Publish,
    /// Change applications, endpoints, sources and deliveries.
    Operate,
    /// Manage access, settings and the audit log.
    Administer,
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

/// Maximum length of the name of an API key.
pub const MAX_KEY_NAME: usize = 256;

/// Maximum validity of an API key in seconds: ten years.
pub const MAX_KEY_EXPIRY_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// Creates an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyIn {
    /// The name of the key, by which people recognize it.
    pub name: String,
    /// What the key allows.
    pub role: Role,
    /// The id or uid of the only application that the key is for; all applications if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Validity of the key in seconds; it does not expire if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<u64>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyOut {
    /// The identifier that the server assigned.
    pub id: ApiKeyId,
    /// The name of the key.
    pub name: String,
    /// What the key allows.
    pub role: Role,
    /// The only application that the key is for; all applications if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
    /// The beginning and the end of the key.
    pub censored_token: String,
    /// When the key was created.
    pub created_at: Timestamp,
    /// Who created the key, as in the audit log.
    pub created_by: String,
    /// When the key expires; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When the key was last used, within about a minute; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// A new API key. The key itself is shown only once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyCreatedOut {
    /// The identifier that the server assigned.
    pub id: ApiKeyId,
    /// The key, to be sent as `Authorization: Bearer`. The server stores only a hash of it.
    pub token: String,
    /// The name of the key.
    pub name: String,
    /// What the key allows.
    pub role: Role,
    /// The only application that the key is for; all applications if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
    /// When the key was created.
    pub created_at: Timestamp,
    /// When the key expires; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for ApiKeyCreatedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyCreatedOut").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Changes an API key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyPatch {
    /// The name of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who the client of a request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WhoamiOut {
    /// The organization that the key or token belongs to.
    pub env_id: OrganizationId,
    /// The only application that the key or token is for; all applications if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
    /// How the client authenticated.
    pub permission_source: PermissionSource,
    /// The session of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What kind of principal the client is.
    #[serde(rename = "type")]
    pub kind: PrincipalKind,
    /// The id of the API key, or the subject of the token or of the user.
    pub id: String,
    /// The name of the API key or of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The role; absent for a token of an application, whose capabilities count instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What the role permits.
    pub permissions: Vec<Permission>,
    /// What a token of an application allows; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<BTreeSet<Capability>>,
}

/// How a client authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PermissionSource {
    /// With single sign-on.
    OidcJwt,
    /// With a token that the server signed.
    SvixJwt,
    /// With an API key.
    RegionalAuthToken,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Publisher, Self::Operator, Self::Admin];

    /// The name as in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role; use viewer, publisher, operator or admin")]
pub struct UnknownRole;

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 6] =
        [Self::Any, Self::Read, Self::ReadSecrets, Self::Publish, Self::Operate, Self::Administer];
}
