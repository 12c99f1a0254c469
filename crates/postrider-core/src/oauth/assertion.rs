//! The JWT with which a client authenticates to a token server (RFC 7523).

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::OauthClient;
use crate::{catalog::JwtKey, time::Timestamp};

/// How long a JWT is valid unless the configuration says it.
const LIFETIME: Duration = Duration::from_secs(300);

/// What a JWT says, without its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// What is signed: header and claims.
    pub signing_input: String,
}

impl Assertion {
    /// A JWT of the client. `id` must differ from that of every other JWT.
    pub fn new(client: &OauthClient, key: &JwtKey, id: &str, now: Timestamp) -> Self {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(key_id) = &key.key_id {
            header["kid"] = key_id.as_str().into();
        }
        let lifetime = key.lifetime_seconds.unwrap_or(LIFETIME.as_secs());
        let claims = json!({
            "iss": client.config.client_id,
            "sub": client.config.client_id,
            "aud": key.audience.as_deref().unwrap_or(&client.config.token_url),
            "jti": id,
            "iat": now.as_seconds(),
            "exp": now.as_seconds().saturating_add(lifetime),
        });
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        Self { signing_input: format!("{}.{}", encode(&header), encode(&claims)) }
    }

    /// The JWT with its signature.
    pub fn signed(&self, signature: &[u8]) -> Zeroizing<String> {
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Zeroizing::new(format!("{}.{signature}", self.signing_input))
    }
}

/// A key that is neither PEM nor Base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither Base64 nor PEM")]
pub struct KeyEncodingError;

/// The bytes of a private key, in PEM or DER, from the text of the configuration.
pub fn key_bytes(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyEncodingError> {
    if text.contains("-----BEGIN ") {
        return Ok(Zeroizing::new(text.as_bytes().to_vec()));
    }
    let text: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|it| !it.is_ascii_whitespace()).collect());
    let decoders = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let decoded = decoders.iter().find_map(|decoder| decoder.decode(text.as_bytes()).ok());
    decoded.filter(|bytes| !bytes.is_empty()).map(Zeroizing::new).ok_or(KeyEncodingError)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::catalog::{ClientAuthentication, GrantType, OauthConfig};

    use super::*;

    #[test]
    fn a_jwt_names_the_client_the_token_server_and_its_time() {
        let key = |key_id: Option<&str>, lifetime_seconds, audience: Option<&str>| JwtKey {
            key: String::new(),
            key_id: key_id.map(str::to_owned),
            lifetime_seconds,
            audience: audience.map(str::to_owned),
        };
        for (key, header, aud, exp) in [
            (
                key(None, None, None),
                json!({ "alg": "RS256", "typ": "JWT" }),
                "https://id.example.com/token",
                1_300,
            ),
            (
                key(Some("k"), Some(60), Some("https://id.example.com")),
                json!({ "alg": "RS256", "typ": "JWT", "kid": "k" }),
                "https://id.example.com",
                1_060,
            ),
        ] {
            let config = OauthConfig {
                grant_type: GrantType::ClientCredentials,
                token_url: "https://id.example.com/token".to_owned(),
                client_id: "c".to_owned(),
                client: ClientAuthentication::Jwt(key.clone()),
                scopes: Vec::new(),
                params: BTreeMap::new(),
                headers: BTreeMap::new(),
                set_at: Timestamp::default(),
            };
            let client = OauthClient::new(config).unwrap();
            let now = Timestamp::from_millis(1_000_999);
            let jwt = Assertion::new(&client, &key, "j", now).signed(b"signature");
            let mut parts = jwt.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
            let mut json =
                || -> serde_json::Value { serde_json::from_slice(&parts.next().unwrap()).unwrap() };
            assert_eq!(json(), header);
            let claims = json!({
                "iss": "c", "sub": "c", "aud": aud, "jti": "j", "iat": 1_000, "exp": exp
            });
            assert_eq!(json(), claims);
            assert_eq!(parts.next().unwrap(), b"signature");
        }
    }

    #[test]
    fn keys_are_base64_or_pem() {
        for (text, expected) in [
            ("aGk=", Some(&b"hi"[..])),
            ("aGk", Some(b"hi")),
            ("aG\nk=\n", Some(b"hi")),
            ("_-8", Some(&[0xff, 0xef])),
            ("-----BEGIN X-----", Some(b"-----BEGIN X-----")),
            ("", None),
            ("ä", None),
        ] {
            assert_eq!(key_bytes(text).ok().as_ref().map(|it| it.as_slice()), expected, "{text}");
        }
    }
}
