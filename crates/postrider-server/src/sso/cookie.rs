//! The cookies of a sign-in and of a session.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use postrider_core::sign_in;

/// A cookie that only the server reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    name: &'static str,
    is_secure: bool,
}

impl Cookie {
    /// The cookie of a session. With `__Host-` browsers accept it only over TLS and only from this
    /// host; over plain HTTP on the same machine, it has another name.
    pub(super) const fn session(is_secure: bool) -> Self {
        let name = if is_secure { "__Host-postrider-session" } else { "postrider-session" };
        Self { name, is_secure }
    }

    /// The cookie of a sign-in that has begun.
    pub(super) const fn sign_in(is_secure: bool) -> Self {
        let name = if is_secure { "__Host-postrider-sign-in" } else { "postrider-sign-in" };
        Self { name, is_secure }
    }

    pub(super) fn find(self, headers: &HeaderMap) -> Option<&str> {
        let values = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
        sign_in::cookie(values, self.name)
    }

    /// The header that sets it. The value is base64.
    pub(super) fn set(self, value: &str, lifetime: Duration) -> HeaderValue {
        let Self { name, is_secure } = self;
        let secure = if is_secure { "; Secure" } else { "" };
        let seconds = lifetime.as_secs();
        let text =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        let mut header = HeaderValue::try_from(text).expect("names and base64 are visible ASCII");
        header.set_sensitive(true);
        header
    }

    /// The header that removes it.
    pub(super) fn remove(self) -> HeaderValue {
        self.set("", Duration::ZERO)
    }
}
