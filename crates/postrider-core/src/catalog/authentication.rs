//! How requests to an endpoint authenticate, as it is stored.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::sealed::{AtRest, SealedSecret};
use crate::time::Timestamp;

/// How requests to an endpoint authenticate, in addition to their signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// A credential that every request has.
    #[serde(default, skip_serializing_if = "AtRest::is_empty")]
    pub credentials: AtRest<Option<Credentials>>,
    /// How access tokens are fetched.
    #[serde(default, skip_serializing_if = "AtRest::is_empty")]
    pub oauth: AtRest<Option<OauthConfig>>,
    /// The tokens of the grant with a refresh token. The token server may replace the refresh token
    /// with each use, so a node writes them.
    #[serde(default, skip_serializing_if = "AtRest::is_empty")]
    pub grant: AtRest<Option<Grant>>,
    /// The node that is using the refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<GrantClaim>,
    /// The client certificate and its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<StoredIdentity>,
}

impl Authentication {
    /// Whether requests have only their signature.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Removes everything that belongs to OAuth.
    pub fn remove_oauth(&mut self) {
        self.oauth = AtRest::default();
        self.grant = AtRest::default();
        self.claim = None;
    }
}

/// A credential that every request has.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credentials {
    Basic { username: String, password: String },
    Bearer { token: String },
    Header { name: String, value: String },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer { .. } => "Bearer(…)",
            Self::Header { .. } => "Header(…)",
        })
    }
}

/// How access tokens are fetched from a token server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthConfig {
    pub grant_type: GrantType,
    pub token_url: String,
    pub client_id: String,
    pub client: ClientAuthentication,
    pub scopes: Vec<String>,
    /// Parameters of token requests in addition to the standard ones.
    pub params: BTreeMap<String, String>,
    /// Headers of token requests.
    pub headers: BTreeMap<String, String>,
    /// When the configuration was set. Tokens that were issued before are not used.
    pub set_at: Timestamp,
}

impl fmt::Debug for OauthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthConfig").field("grant_type", &self.grant_type).finish_non_exhaustive()
    }
}

/// How the token server is asked for access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantType {
    ClientCredentials,
    RefreshToken,
}

/// How the client authenticates to the token server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAuthentication {
    /// With a secret in the `Authorization` header.
    Basic { secret: String },
    /// With a secret in the body, or only with its id if it has no secret.
    Post { secret: Option<String> },
    /// With a JWT that is signed with RS256 (`private_key_jwt`).
    Jwt(JwtKey),
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Post { .. } => "Post(…)",
            Self::Jwt(_) => "Jwt(…)",
        })
    }
}

/// The key that signs the JWTs of a client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtKey {
    /// The private key: Base64 of PEM or DER, or PEM.
    pub key: String,
    pub key_id: Option<String>,
    pub lifetime_seconds: Option<u64>,
    /// The audience of the JWTs, if it is not the URL of the token server.
    pub audience: Option<String>,
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The tokens of a grant with a refresh token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub refresh_token: String,
    /// The last access token that was issued. All nodes use it, because some token servers revoke
    /// an access token when they issue the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessGrant>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").finish_non_exhaustive()
    }
}

/// An access token and how long it is used.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessGrant {
    pub token: String,
    pub received_at: Timestamp,
    pub usable_until: Timestamp,
}

impl fmt::Debug for AccessGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessGrant")
            .field("usable_until", &self.usable_until)
            .finish_non_exhaustive()
    }
}

/// A node uses the refresh token, and others wait for what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantClaim {
    /// Identifies the use, not the node.
    pub holder: u64,
    /// When others may use the refresh token, in case that the node has failed.
    pub until: Timestamp,
}

/// A client certificate. It is public; its key is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredIdentity {
    /// The chain in PEM, that of the client first.
    pub certificates: String,
    /// The private key in PEM.
    pub key: SealedSecret,
}
