//! Which parts of a listener's response are returned to the sender.
//!
//! The response comes from the server's host name. A redirect, a cookie, a CORS header or an HTML
//! page would therefore act in the name of this host. Webhook senders need none of these.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::sessions::ProgramResponse;

/// Headers that are returned. `content-length` follows from the body. All after the first three
/// belong to handshakes, in which a provider expects to see a header again.
const RETURNED: [&str; 10] = [
    "content-encoding",
    "content-type",
    "retry-after",
    "allow",
    "validation-token",
    "webhook-allowed-origin",
    "webhook-allowed-rate",
    "x-adobesign-clientid",
    "x-hook-secret",
    "x-vercel-verify",
];

/// Media types that a browser would render as a page.
const PAGE_TYPES: [&str; 4] =
    ["text/html", "application/xhtml+xml", "image/svg+xml", "multipart/x-mixed-replace"];

/// Headers of every response. A sandboxed page runs no scripts and has no origin.
const ADDED: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, "sandbox"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The response for the sender; none for a redirect, which webhook senders do not follow and
/// browsers must not.
pub(super) fn response(from: ProgramResponse) -> Option<Response> {
    let status = StatusCode::from_u16(from.status).ok()?;
    if status.is_redirection() {
        return None;
    }
    let mut response = Response::new(from.body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers(&from.headers);
    Some(response)
}

fn headers(from: &HeaderMap) -> HeaderMap {
    let is_returned = |name: &HeaderName| RETURNED.contains(&name.as_str());
    let returned = from.iter().filter(|(name, _)| is_returned(name));
    let mut headers: HeaderMap =
        returned.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(found) = headers.get_mut(header::CONTENT_TYPE)
        && is_page(found)
    {
        *found = HeaderValue::from_static("text/plain");
    }
    for (name, value) in ADDED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// Whether a browser might render the content as a page. A type that is not text counts as one,
/// because browsers may interpret it differently.
fn is_page(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return true };
    let media_type = text.split(';').next().unwrap_or(text).trim();
    PAGE_TYPES.iter().any(|it| media_type.eq_ignore_ascii_case(it)) || text.contains(',')
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use postrider::provider;

    use super::*;

    #[track_caller]
    fn check(status: u16, given: &[(&'static str, &'static str)], expected: Option<&str>) {
        let headers = given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let from = ProgramResponse { status, headers: headers.collect(), body: Bytes::new() };
        let shown = response(from).map(|response| {
            let is_added = |name: &HeaderName| ADDED.iter().any(|(added, _)| added == name);
            let headers = response.headers().iter().filter(|(name, _)| !is_added(name));
            let lines = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            lines.collect::<Vec<_>>().join("; ")
        });
        assert_eq!(shown.as_deref(), expected, "{status} {given:?}");
    }

    #[test]
    fn only_headers_that_a_webhook_sender_needs_are_returned() {
        check(200, &[("content-type", "text/xml"), ("x-own", "1")], Some("content-type: text/xml"));
        check(503, &[("retry-after", "7"), ("set-cookie", "a=b")], Some("retry-after: 7"));
        check(200, &[("access-control-allow-origin", "*"), ("location", "/")], Some(""));
        check(200, &[("content-type", "Text/HTML; charset=x")], Some("content-type: text/plain"));
        check(200, &[("content-type", "a/b, text/html")], Some("content-type: text/plain"));
        check(200, &[("content-security-policy", "default-src *")], Some(""));
        check(302, &[("location", "https://evil.example/")], None);
        check(304, &[], None);
    }

    /// A listener can respond to a provider's handshake as a source would.
    #[test]
    fn headers_of_handshakes_are_returned() {
        for provider in provider::all() {
            let handshakes = serde_json::to_value(&provider.model.handshakes).unwrap();
            for header in handshakes.as_array().unwrap().iter().flat_map(named) {
                assert!(RETURNED.contains(&header.as_str()), "{}: {header}", provider.id);
            }
        }
    }

    fn named(handshake: &serde_json::Value) -> Vec<String> {
        let headers = handshake["reply"]["headers"].as_object();
        headers.into_iter().flat_map(|it| it.keys().cloned()).collect()
    }
}
