//! What a listening program may respond with: what a webhook sender needs, and nothing by which
//! a response reaches beyond itself.
//!
//! The response comes from our host name. A redirect, a cookie, a permission for other pages or
//! a page of its own would therefore speak in our name, whatever its program meant by it.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::sessions::Answered;

/// Headers that are passed on. `content-length` follows from the body. Those after the first
/// three are what providers want to see again before they send their first event.
const PASSED: [&str; 10] = [
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

/// Types that a browser would show as a page.
const PAGES: [&str; 4] =
    ["text/html", "application/xhtml+xml", "image/svg+xml", "multipart/x-mixed-replace"];

/// Headers that every response has. A sandboxed page runs nothing and belongs to no host.
const OWN: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, "sandbox"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The response, unless it is a redirect: webhook senders follow none, and others must not.
pub(super) fn response(answered: Answered) -> Option<Response> {
    let status = StatusCode::from_u16(answered.status).ok()?;
    if status.is_redirection() {
        return None;
    }
    let mut response = Response::new(answered.body.into());
    *response.status_mut() = status;
    *response.headers_mut() = headers(&answered.headers);
    Some(response)
}

fn headers(answered: &HeaderMap) -> HeaderMap {
    let is_passed = |name: &HeaderName| PASSED.contains(&name.as_str());
    let passed = answered.iter().filter(|(name, _)| is_passed(name));
    let mut headers: HeaderMap =
        passed.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(found) = headers.get_mut(header::CONTENT_TYPE)
        && is_page(found)
    {
        *found = HeaderValue::from_static("text/plain");
    }
    for (name, value) in OWN {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// What cannot be read might be read as a page.
fn is_page(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return true };
    let media_type = text.split(';').next().unwrap_or(text).trim();
    PAGES.iter().any(|it| media_type.eq_ignore_ascii_case(it)) || text.contains(',')
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
        let answered = Answered { status, headers: headers.collect(), body: Bytes::new() };
        let shown = response(answered).map(|it| {
            let is_own = |name: &HeaderName| OWN.iter().any(|(own, _)| own == name);
            let headers = it.headers().iter().filter(|(name, _)| !is_own(name));
            let lines = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            lines.collect::<Vec<_>>().join("; ")
        });
        assert_eq!(shown.as_deref(), expected, "{status} {given:?}");
    }

    #[test]
    fn only_what_a_webhook_sender_needs_is_passed_on() {
        check(200, &[("content-type", "text/xml"), ("x-own", "1")], Some("content-type: text/xml"));
        check(503, &[("retry-after", "7"), ("set-cookie", "a=b")], Some("retry-after: 7"));
        check(200, &[("access-control-allow-origin", "*"), ("location", "/")], Some(""));
        check(200, &[("content-type", "Text/HTML; charset=x")], Some("content-type: text/plain"));
        check(200, &[("content-type", "a/b, text/html")], Some("content-type: text/plain"));
        check(200, &[("content-security-policy", "default-src *")], Some(""));
        check(302, &[("location", "https://evil.example/")], None);
        check(304, &[], None);
    }

    /// A program at the desk can answer a provider's handshake as a source would.
    #[test]
    fn headers_of_handshakes_are_passed_on() {
        for provider in provider::all() {
            let handshakes = serde_json::to_value(&provider.model.handshakes).unwrap();
            for header in handshakes.as_array().unwrap().iter().flat_map(named) {
                assert!(PASSED.contains(&header.as_str()), "{}: {header}", provider.id);
            }
        }
    }

    fn named(handshake: &serde_json::Value) -> Vec<String> {
        let headers = handshake["reply"]["headers"].as_object();
        headers.into_iter().flat_map(|it| it.keys().cloned()).collect()
    }
}
