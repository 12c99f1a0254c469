//! Encodings that several providers use.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::super::Encoding;

pub(super) fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The path and query of a URL.
pub(super) fn path_and_query(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|it| rest.get(it..)).unwrap_or("/")
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    Encoding::Base64.encode(bytes.as_ref())
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    Encoding::Hex.encode(bytes)
}
