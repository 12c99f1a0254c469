//! How requests to an endpoint authenticate: a credential, OAuth 2.0, a client certificate.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum length of a user name, password, token or header value in bytes.
pub const MAX_CREDENTIAL: usize = 8_192;

/// Maximum length of a client id, client secret or scope in bytes.
pub const MAX_OAUTH_TEXT: usize = 4_096;

/// Maximum size of a key for JWTs in bytes.
pub const MAX_JWT_KEY: usize = 32_768;

/// Maximum number of scopes, extra parameters and extra headers, each.
pub const MAX_OAUTH_ITEMS: usize = 50;

/// Maximum lifetime of a JWT that authenticates a client, in seconds.
pub const MAX_JWT_LIFETIME: u64 = 60 * 60;

/// Maximum size of a client certificate with its key and chain in bytes.
pub const MAX_IDENTITY: usize = 32_768;

/// How a credential is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EndpointAuthenticationType {
    /// `Authorization: Basic …`, from `username` and `password`.
    Basic,
    /// `Authorization: Bearer …`, from `token`.
    #[default]
    Bearer,
    /// A header of your choice, from `name` and `value`.
    Header,
}

/// A credential that every request to an endpoint has. It replaces a custom header with the same
/// name. Responses show `***` instead of secrets, and a request with `***` keeps the stored one.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointAuthentication {
    /// How the credential is sent.
    #[serde(rename = "type")]
    pub authentication_type: EndpointAuthenticationType,
    /// The user name, for `basic`. It cannot contain a colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub username: Option<String>,
    /// The password, for `basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub password: Option<String>,
    /// The token, for `bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub token: Option<String>,
    /// The name of the header, for `header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub name: Option<String>,
    /// The value of the header, for `header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub value: Option<String>,
}

impl fmt::Debug for EndpointAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointAuthentication")
            .field("type", &self.authentication_type)
            .finish_non_exhaustive()
    }
}

/// How a token server is asked for access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Oauth2GrantTypeInOut {
    /// With the credentials of the client.
    #[default]
    ClientCredentials,
    /// With a refresh token. If the token server replaces it, the new one is stored.
    RefreshToken,
}

/// How a client authenticates to a token server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Oauth2AuthMethodInOut {
    /// With the secret in the `Authorization` header; the method that most token servers expect.
    #[default]
    ClientSecretBasic,
    /// With the secret in the body.
    ClientSecretPost,
    /// With a JWT that is signed with a private key (`private_key_jwt`).
    ClientSecretJwt,
}

/// The algorithm that signs the JWTs of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum OauthJwsSigningAlgorithm {
    /// RSA with SHA-256.
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
}

/// The key that signs the JWTs of a client.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretJwtParamsIn {
    /// The private RSA key: Base64 of PEM or DER.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_JWT_KEY)))]
    pub secret_base64: String,
    /// The algorithm.
    pub signing_algorithm: OauthJwsSigningAlgorithm,
    /// The `kid` of the JWTs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_OAUTH_TEXT)))]
    pub secret_id: Option<String>,
    /// How long a JWT is valid, in seconds; 300 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_JWT_LIFETIME)))]
    pub token_expiry_secs: Option<u64>,
    /// The `aud` of the JWTs; `tokenUrl` if absent. Some token servers require their issuer. A
    /// Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_OAUTH_TEXT)))]
    pub audience: Option<String>,
}

impl fmt::Debug for ClientSecretJwtParamsIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecretJwtParamsIn").finish_non_exhaustive()
    }
}

/// Sets how access tokens for an endpoint are fetched. It replaces everything that was set before,
/// secrets included.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointOauthConfigIn {
    /// How the token server is asked for access tokens.
    pub grant_type: Oauth2GrantTypeInOut,
    /// How the client authenticates to the token server.
    pub auth_method: Oauth2AuthMethodInOut,
    /// The URL of the token endpoint.
    #[cfg_attr(feature = "schema", schemars(length(min = 1), url))]
    pub token_url: String,
    /// The id of the client.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_OAUTH_TEXT)))]
    pub client_id: String,
    /// The secret of the client, for `clientSecretBasic` and `clientSecretPost`. With
    /// `clientSecretPost` and a refresh token, it can be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_OAUTH_TEXT)))]
    pub client_secret: Option<String>,
    /// The key of the client, for `clientSecretJwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt_params: Option<ClientSecretJwtParamsIn>,
    /// The refresh token, for `refreshToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CREDENTIAL)))]
    pub refresh_token: Option<String>,
    /// The scopes to request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_OAUTH_ITEMS)))]
    pub scopes: Option<Vec<String>>,
    /// Parameters of token requests in addition to the standard ones, such as `audience`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_params: Option<BTreeMap<String, String>>,
    /// Headers of token requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_headers: Option<BTreeMap<String, String>>,
}

impl fmt::Debug for EndpointOauthConfigIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointOauthConfigIn")
            .field("grant_type", &self.grant_type)
            .field("auth_method", &self.auth_method)
            .finish_non_exhaustive()
    }
}

/// How access tokens for an endpoint are fetched, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointOauthConfigOut {
    /// How the token server is asked for access tokens.
    pub grant_type: Oauth2GrantTypeInOut,
    /// How the client authenticates to the token server.
    pub auth_method: Oauth2AuthMethodInOut,
    /// The URL of the token endpoint.
    pub token_url: String,
    /// The id of the client.
    pub client_id: String,
    /// The scopes that are requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Parameters of token requests in addition to the standard ones, with `***` instead of
    /// values that are likely secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_params: Option<BTreeMap<String, String>>,
    /// Headers of token requests, with `***` instead of values that are likely secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_headers: Option<BTreeMap<String, String>>,
}

/// Whether an endpoint uses OAuth, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointOauthOut {
    /// Whether requests have an access token.
    pub enabled: bool,
    /// How access tokens are fetched.
    #[serde(default)]
    pub config: Option<EndpointOauthConfigOut>,
}

/// Sets the client certificate of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointMtlsConfigIn {
    /// In PEM: the private key, the certificate for it, and those that lead to its authority.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_IDENTITY)))]
    pub identity: String,
}

impl fmt::Debug for EndpointMtlsConfigIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointMtlsConfigIn").finish_non_exhaustive()
    }
}

/// The client certificate of an endpoint, without its key. The hosted API returns an empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointMtlsConfigOut {
    /// The subject of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The start of its validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its SHA-256 in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The certificate and its chain in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<String>,
}

/// Whether an endpoint has a client certificate, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointMtlsOut {
    /// Whether requests present a client certificate.
    pub enabled: bool,
    /// The certificate.
    #[serde(default)]
    pub config: Option<EndpointMtlsConfigOut>,
}
