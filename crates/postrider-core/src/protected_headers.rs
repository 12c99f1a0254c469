//! Headers that customers cannot set, and those whose values are not shown.

const PROTECTED: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-encoding",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Prefix of the headers that describe the origin of a received webhook.
pub(crate) const RECEIVED: &str = "postrider-";

/// Whether customers must not set this header.
pub fn is_protected(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PROTECTED.contains(&name.as_str())
        || ["webhook-", "svix-", RECEIVED].iter().any(|prefix| name.starts_with(prefix))
}

/// Headers whose values are not shown again.
const SENSITIVE: &[&str] = &[
    "authorization",
    "cookie",
    "x-access-token",
    "x-api-key",
    "x-auth-token",
    "x-hub-signature",
    "x-secret",
];

/// Whether values of this header are not shown.
pub fn is_sensitive(name: &str) -> bool {
    SENSITIVE.iter().any(|it| it.eq_ignore_ascii_case(name))
}
