//! Custom headers of endpoints and messages, and the names that are reserved.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use postrider_core::request;

use crate::api::problems::Problems;

/// Maximum number of headers of an endpoint or a message.
const MAX_HEADERS: usize = 50;

/// Maximum size of all headers together, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// Prefixes of names that have a meaning for the platform that a receiver runs on. With them, a
/// customer could impersonate that platform.
const RESERVED: &[&str] = &["x-svix-", "x-amz-", "x-amzn-", "x-goog-", "x-google-"];

/// What the headers belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An endpoint, which sends them with every request.
    Endpoint,
    /// One body, which may have a content type.
    Body,
}

/// Adds the problems of the headers.
pub(crate) fn check(
    headers: &BTreeMap<String, String>,
    place: &[&str],
    owner: Owner,
    problems: &mut Problems<'_>,
) {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_BYTES {
        let message = format!("may have at most {MAX_HEADERS} headers with {MAX_BYTES} bytes");
        problems.add(place, message);
        return;
    }
    let mut spellings = BTreeMap::<_, usize>::new();
    for name in headers.keys() {
        *spellings.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    for (name, value) in headers {
        let is_twin = spellings.get(&name.to_ascii_lowercase()).is_some_and(|it| *it > 1);
        if let Err(message) = check_one(name, value, owner, is_twin) {
            problems.add(&[place, &[name.as_str()]].concat(), message);
        }
    }
}

fn check_one(name: &str, value: &str, owner: Owner, is_twin: bool) -> Result<(), &'static str> {
    let parsed = HeaderName::try_from(name).map_err(|_| "is not a valid header name")?;
    HeaderValue::try_from(value).map_err(|_| "the value is not a valid header value")?;
    if request::is_protected(parsed.as_str())
        || (parsed == http::header::CONTENT_TYPE && owner == Owner::Endpoint)
    {
        return Err("is set by the server");
    }
    if owner == Owner::Endpoint && is_reserved(name) {
        return Err("is reserved: x-svix-, x-amz-, x-amzn-, x-goog- and x-google- cannot be set");
    }
    if is_twin { Err("is given twice, in different case") } else { Ok(()) }
}

/// Whether headers of endpoints must not have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.iter().any(|it| name.starts_with(it))
}

/// Sets headers, and removes those without a value. Names are compared without case.
pub(crate) fn change(
    headers: &mut BTreeMap<String, String>,
    changes: impl IntoIterator<Item = (String, Option<String>)>,
) {
    let changes =
        changes.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), (name, value)));
    let changes: BTreeMap<_, _> = changes.collect();
    headers.retain(|name, _| !changes.contains_key(&name.to_ascii_lowercase()));
    headers.extend(changes.into_values().filter_map(|(name, value)| Some((name, value?))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_header(name: &str, value: &str, is_fine: bool) {
        let mut problems = Problems::within(&["body"]);
        let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        check(&headers, &["headers"], Owner::Endpoint, &mut problems);
        assert_eq!(problems.finish().is_ok(), is_fine, "{name}: {value}");
    }

    #[test]
    fn headers_of_ours_and_malformed_ones_are_refused() {
        check_header("X-Example", "123", true);
        check_header("Authorization", "Bearer ä", true);
        for ours in ["Webhook-Signature", "svix-id", "Host", "content-length", "Content-Type"] {
            check_header(ours, "1", false);
        }
        for reserved in ["X-Svix-Id", "x-amz-date", "X-AMZN-Trace-Id", "x-goog-a", "x-google-b"] {
            check_header(reserved, "1", false);
        }
        check_header("X-Amazing", "1", true);
        check_header("x y", "1", false);
        check_header("", "1", false);
        check_header("x", "1\r\ny: 2", false);
    }

    #[test]
    fn a_name_in_two_spellings_is_refused() {
        let mut problems = Problems::within(&["body"]);
        let headers = ["X-A", "x-a"].map(|name| (name.to_owned(), String::new()));
        check(&headers.into(), &["headers"], Owner::Endpoint, &mut problems);
        assert!(problems.finish().is_err());
    }
}
