//! Who is signed in: the token in a cookie, or the session of single sign-on.

use std::fmt::Write;

use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    cookie::{self, Cookie, Transport},
    site::Audience,
};

/// The cookie that the server sets after single sign-on.
const SSO: [&str; 2] = ["postrider-session", "__Host-postrider-session"];

/// The credentials in a request.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The token or API key; none with single sign-on.
    pub(crate) token: Option<String>,
    /// What forms repeat, so that pages of other sites cannot send them.
    pub(crate) csrf: String,
}

impl Session {
    /// The session of a request; none if it has none.
    pub(crate) fn find(
        headers: &HeaderMap,
        audience: Audience,
        transport: Transport,
    ) -> Option<Self> {
        if let Some(token) = cookie(audience).find(headers, transport).and_then(decode) {
            return Some(Self { csrf: csrf(&token), token: Some(token) });
        }
        if audience == Audience::Portal {
            return None;
        }
        let values = headers.get_all(http::header::COOKIE).iter();
        let values: Vec<_> = values.filter_map(|it| it.to_str().ok()).collect();
        let find = |name| postrider_core::sign_in::cookie(values.iter().copied(), name);
        let secret = SSO.into_iter().find_map(find)?;
        Some(Self { token: None, csrf: csrf(secret) })
    }

    /// What the forms of a session with this token repeat.
    pub(crate) fn csrf_of(token: &str) -> String {
        csrf(token)
    }

    /// Whether a form repeats what its page contained.
    pub(crate) fn is_own_form(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

/// The cookie of a token.
pub(crate) const fn cookie(audience: Audience) -> Cookie {
    match audience {
        Audience::Console => cookie::CONSOLE,
        Audience::Portal => cookie::PORTAL,
    }
}

/// Tokens and keys are visible ASCII; anything else was not set by this server.
fn decode(value: &str) -> Option<String> {
    value.bytes().all(|it| it.is_ascii_graphic()).then(|| value.to_owned())
}

/// A digest of a secret that only the browser and the server know.
fn csrf(secret: &str) -> String {
    let digest = Sha256::digest(format!("postrider csrf {secret}"));
    hex(&digest[..16])
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take all that is written");
        text
    })
}
