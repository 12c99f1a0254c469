//! URLs of keys that a request names. Requests come from untrusted senders, so these URLs are
//! parsed strictly: anything that two parsers might interpret differently is rejected.

use super::super::KeyRequest;

/// The host and path of an `https` URL without user, port, query, fragment, or anything else that
/// the URL of a key does not need.
pub(super) fn host_and_path(url: &str) -> Option<(&str, &str)> {
    let (host, path) = url.strip_prefix("https://")?.split_once('/')?;
    let is_host = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    let is_path = |it: u8| it.is_ascii_alphanumeric() || b"-._/".contains(&it);
    let is_plain = !host.is_empty()
        && host.bytes().all(is_host)
        && path.bytes().all(is_path)
        && !host.split('.').any(str::is_empty)
        && !path.contains("..");
    is_plain.then_some((host, path))
}

/// Whether the text can be a key id in a URL.
pub(super) fn is_key_id(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    (1..=128).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}

pub(super) fn fetch(url: &str) -> KeyRequest {
    KeyRequest { url: url.to_owned(), headers: Vec::new(), body: None }
}
