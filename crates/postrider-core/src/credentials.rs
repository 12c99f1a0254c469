//! The header in which a request carries the credential of its endpoint.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::{catalog::Credentials, protected_headers::is_protected};

/// The header of a credential.
#[derive(Clone)]
pub struct CredentialHeader {
    pub name: HeaderName,
    /// Marked as sensitive.
    pub value: HeaderValue,
}

impl fmt::Debug for CredentialHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct CredentialProblem {
    /// The field of the API, such as `password`.
    pub field: &'static str,
    pub message: &'static str,
}

const fn problem(field: &'static str, message: &'static str) -> CredentialProblem {
    CredentialProblem { field, message }
}

impl CredentialHeader {
    /// The header of a credential, or what is wrong with it.
    pub fn new(credentials: &Credentials) -> Result<Self, CredentialProblem> {
        match credentials {
            Credentials::Basic { username, password } => basic(username, password),
            Credentials::Bearer { token } => Self::bearer(token)
                .ok_or(problem("token", "must be visible ASCII characters without spaces")),
            Credentials::Header { name, value } => custom(name, value),
        }
    }

    /// The header with a bearer token; `None` if the token does not fit into one.
    pub fn bearer(token: &str) -> Option<Self> {
        let is_token = !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic());
        let text = Zeroizing::new(format!("Bearer {token}"));
        is_token.then(|| Self::authorization(&text)).flatten()
    }

    /// Whether the header is `Authorization`, as that of OAuth is.
    pub fn is_authorization(&self) -> bool {
        self.name == header::AUTHORIZATION
    }

    fn authorization(text: &str) -> Option<Self> {
        let value = sensitive(HeaderValue::from_str(text).ok()?);
        Some(Self { name: header::AUTHORIZATION, value })
    }
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

fn basic(username: &str, password: &str) -> Result<CredentialHeader, CredentialProblem> {
    if username.contains(':') {
        return Err(problem("username", "must not contain a colon"));
    }
    for (field, text) in [("username", username), ("password", password)] {
        if text.chars().any(char::is_control) {
            return Err(problem(field, "must not contain control characters"));
        }
    }
    let pair = Zeroizing::new(format!("{username}:{password}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    Ok(CredentialHeader::authorization(&text).expect("Base64 is ASCII"))
}

fn custom(name: &str, value: &str) -> Result<CredentialHeader, CredentialProblem> {
    let name: HeaderName =
        name.parse().map_err(|_| problem("name", "is not a valid header name"))?;
    if is_protected(name.as_str()) || name == header::CONTENT_TYPE {
        return Err(problem("name", "is set by the server"));
    }
    match HeaderValue::from_str(value) {
        Ok(value) if !value.is_empty() => Ok(CredentialHeader { name, value: sensitive(value) }),
        Ok(_) => Err(problem("value", "must not be empty")),
        Err(_) => Err(problem("value", "is not a valid header value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_becomes_a_header() {
        let basic = |username: &str, password: &str| Credentials::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        let bearer = |token: &str| Credentials::Bearer { token: token.to_owned() };
        let custom = |name: &str, value: &str| Credentials::Header {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        for (credentials, expected) in [
            (
                basic("Aladdin", "open sesame"),
                Ok("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            (basic("", "ä:"), Ok("authorization: Basic OsOkOg==")),
            (basic("a:b", "c"), Err("username")),
            (basic("a", "b\n"), Err("password")),
            (bearer("a.b-c"), Ok("authorization: Bearer a.b-c")),
            (bearer(""), Err("token")),
            (bearer("a b"), Err("token")),
            (bearer("a\r\nb: c"), Err("token")),
            (custom("X-Api-Key", "k 1"), Ok("x-api-key: k 1")),
            (custom("Authorization", "ApiKey 1"), Ok("authorization: ApiKey 1")),
            (custom("Host", "evil"), Err("name")),
            (custom("webhook-id", "1"), Err("name")),
            (custom("content-type", "1"), Err("name")),
            (custom("a b", "1"), Err("name")),
            (custom("x", ""), Err("value")),
            (custom("x", "1\n"), Err("value")),
        ] {
            let header = CredentialHeader::new(&credentials);
            let shown = header.as_ref().map_err(|problem| problem.field).map(|header| {
                assert!(header.value.is_sensitive());
                format!("{}: {}", header.name, header.value.to_str().unwrap())
            });
            assert_eq!(shown.as_deref().map_err(|field| *field), expected, "{credentials:?}");
        }
    }
}
