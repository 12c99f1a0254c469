//! Headers that customers cannot set: those of the connection, and the server's own.

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
