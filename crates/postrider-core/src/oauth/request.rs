//! The request for an access token (RFC 6749).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::form_urlencoded::{self, Serializer};

use crate::{
    catalog::{ClientAuthentication, GrantType, OauthConfig},
    protected_headers::is_protected,
};

/// Parameters that the configuration determines.
pub const RESERVED_PARAMS: [&str; 7] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "grant_type",
    "refresh_token",
    "scope",
];

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Parts of the names of parameters and headers whose values are not shown.
const SECRET_PARTS: [&str; 7] =
    ["secret", "password", "token", "assertion", "key", "auth", "cookie"];

/// Whether the value of a parameter or header of token requests is likely a secret.
pub fn has_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// The headers and the body of a token request.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    pub headers: HeaderMap,
    pub body: String,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").finish_non_exhaustive()
    }
}

impl TokenRequest {
    /// A request for an access token, with the refresh token if that is the grant, and the signed
    /// JWT if the client authenticates with one.
    pub fn new(config: &OauthConfig, refresh_token: Option<&str>, assertion: Option<&str>) -> Self {
        let body = body(config, refresh_token, assertion);
        Self { headers: headers(config), body }
    }
}

fn headers(config: &OauthConfig) -> HeaderMap {
    let allowed = config.headers.iter().filter(|(name, _)| !is_protected(name));
    let mut headers: HeaderMap = allowed
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
        .collect();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let ClientAuthentication::Basic { secret } = &config.client {
        headers.insert(header::AUTHORIZATION, basic(&config.client_id, secret));
    }
    headers
}

/// Id and secret are encoded as in a form before they are joined.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).expect("Base64 is ASCII");
    value.set_sensitive(true);
    value
}

fn body(config: &OauthConfig, refresh_token: Option<&str>, assertion: Option<&str>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair(
        "grant_type",
        match config.grant_type {
            GrantType::ClientCredentials => "client_credentials",
            GrantType::RefreshToken => "refresh_token",
        },
    );
    if let Some(token) = refresh_token {
        form.append_pair("refresh_token", token);
    }
    if !config.scopes.is_empty() {
        form.append_pair("scope", &config.scopes.join(" "));
    }
    match &config.client {
        ClientAuthentication::Basic { .. } => {},
        ClientAuthentication::Post { secret } => {
            form.append_pair("client_id", &config.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", secret);
            }
        },
        ClientAuthentication::Jwt(_) => {
            form.append_pair("client_id", &config.client_id);
            form.append_pair("client_assertion_type", JWT_BEARER);
            form.append_pair("client_assertion", assertion.unwrap_or_default());
        },
    }
    let is_own = |name: &str| !RESERVED_PARAMS.contains(&name);
    form.extend_pairs(config.params.iter().filter(|(name, _)| is_own(name)));
    form.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{catalog::JwtKey, time::Timestamp};

    use super::*;

    fn config(grant_type: GrantType, client: ClientAuthentication) -> OauthConfig {
        OauthConfig {
            grant_type,
            token_url: "https://id.example.com/token".to_owned(),
            client_id: "cl:ient".to_owned(),
            client,
            scopes: vec!["a".to_owned(), "b".to_owned()],
            params: BTreeMap::from([
                ("audience".to_owned(), "x y".to_owned()),
                ("grant_type".to_owned(), "forged".to_owned()),
            ]),
            headers: BTreeMap::from([
                ("x-own".to_owned(), "1".to_owned()),
                ("host".to_owned(), "evil".to_owned()),
                ("accept".to_owned(), "text/html".to_owned()),
            ]),
            set_at: Timestamp::default(),
        }
    }

    #[test]
    fn each_way_to_authenticate_has_its_place() {
        let secret = || "s&t".to_owned();
        let key =
            JwtKey { key: String::new(), key_id: None, lifetime_seconds: None, audience: None };
        let (basic, post) = (
            ClientAuthentication::Basic { secret: secret() },
            ClientAuthentication::Post { secret: Some(secret()) },
        );
        let jwt = ClientAuthentication::Jwt(key);
        let public = ClientAuthentication::Post { secret: None };
        for (grant_type, client, refresh, expected, authorization) in [
            (
                GrantType::ClientCredentials,
                basic,
                None,
                "grant_type=client_credentials&scope=a+b&audience=x+y",
                Some("Basic Y2wlM0FpZW50OnMlMjZ0"),
            ),
            (
                GrantType::RefreshToken,
                post,
                Some("r/1"),
                "grant_type=refresh_token&refresh_token=r%2F1&scope=a+b&client_id=cl%3Aient\
                 &client_secret=s%26t&audience=x+y",
                None,
            ),
            (
                GrantType::RefreshToken,
                public,
                Some("r"),
                "grant_type=refresh_token&refresh_token=r&scope=a+b&client_id=cl%3Aient\
                 &audience=x+y",
                None,
            ),
            (
                GrantType::ClientCredentials,
                jwt,
                None,
                "grant_type=client_credentials&scope=a+b&client_id=cl%3Aient\
                 &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type\
                 %3Ajwt-bearer&client_assertion=e.y.J&audience=x+y",
                None,
            ),
        ] {
            let request = TokenRequest::new(&config(grant_type, client), refresh, Some("e.y.J"));
            assert_eq!(request.body, expected);
            let header = |name: &str| request.headers.get(name).map(|it| it.to_str().unwrap());
            assert_eq!(header("authorization"), authorization);
            assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
            assert_eq!(header("accept"), Some("application/json"));
            assert_eq!((header("x-own"), header("host")), (Some("1"), None));
        }
    }

    #[test]
    fn names_of_secrets_are_recognized() {
        for (name, expected) in [
            ("X-API-Key", true),
            ("client_Secret2", true),
            ("audience", false),
            ("resource", false),
        ] {
            assert_eq!(has_secret_name(name), expected, "{name}");
        }
    }
}
