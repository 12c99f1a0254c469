//! Which requests and headers are forwarded to listeners.
//!
//! Listeners receive requests under the server's host name, and anyone may run one if the relay is
//! open. A browser that an attacker leads to such a URL sends the cookies and credentials of this
//! host; none of them may reach the listener.

use http::{HeaderMap, HeaderName, Method, header};

use super::sessions::Trust;

/// Headers that only browsers send; a page can neither set nor remove them.
const BROWSER_HEADERS: [&str; 7] = [
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-purpose",
    "upgrade-insecure-requests",
];

/// Headers with a visitor's session, or with the page that the visitor comes from.
const VISITOR_HEADERS: [&str; 8] = [
    "cookie",
    "cookie2",
    "proxy-authorization",
    "referer",
    "ssl-client-cert",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-ssl-client-cert",
];

/// Prefixes of the headers in which authenticating proxies identify the user.
const LOGIN_PREFIXES: [&str; 12] = [
    "cf-access-",
    "cf-authorization",
    "remote-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authentik-",
    "x-forwarded-access-token",
    "x-forwarded-email",
    "x-forwarded-preferred-username",
    "x-forwarded-user",
    "x-goog-iap-",
    "x-ms-token-",
];

/// Whether a browser sent the request. Webhook senders have no reason to look like one.
pub(super) fn is_browser(method: &Method, headers: &HeaderMap) -> bool {
    let is_page = || {
        let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
        accepts.flat_map(|it| it.split(',')).any(|it| is_page(it.split(';').next().unwrap_or(it)))
    };
    // Only GET and HEAD: Java's HTTP client accepts HTML when it posts, too.
    let is_visit = [Method::GET, Method::HEAD].contains(method) && is_page();
    is_visit || BROWSER_HEADERS.iter().any(|name| headers.contains_key(*name))
}

fn is_page(media_type: &str) -> bool {
    let media_type = media_type.trim();
    ["text/html", "application/xhtml+xml"].iter().any(|it| media_type.eq_ignore_ascii_case(it))
}

/// Whether the header is forwarded to a listener. `Authorization` may be the webhook sender's, for
/// the listener to verify, or a browser's. Only listeners with an API token are trusted with it.
pub(super) fn is_forwarded(name: &HeaderName, trust: Trust) -> bool {
    let name = name.as_str();
    let is_credential = match trust {
        Trust::Anonymous => name == header::AUTHORIZATION.as_str(),
        Trust::Authenticated => false,
    };
    let is_login = || LOGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    !is_credential && !VISITOR_HEADERS.contains(&name) && !is_login()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(method: &Method, headers: &[(&'static str, &'static str)], expected: bool) {
        let map = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(is_browser(method, &map.collect()), expected, "{method} {headers:?}");
    }

    #[test]
    fn browsers_are_distinguished_from_webhook_senders() {
        let page = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        check(&Method::GET, &[page], true);
        check(&Method::HEAD, &[("accept", "a/b, Text/HTML;level=1")], true);
        check(&Method::POST, &[page], false);
        check(&Method::POST, &[("origin", "null")], true);
        check(&Method::OPTIONS, &[("origin", "https://evil.example")], true);
        check(&Method::GET, &[("accept", "image/*"), ("sec-fetch-mode", "no-cors")], true);
        check(&Method::POST, &[("upgrade-insecure-requests", "1")], true);
        check(&Method::GET, &[("accept", "*/*")], false);
        check(&Method::POST, &[("accept", "application/json"), ("user-agent", "Mozilla")], false);
        check(&Method::OPTIONS, &[("webhook-request-origin", "eventgrid.azure.net")], false);
    }

    #[test]
    fn credentials_of_visitors_are_not_forwarded() {
        let rows = [
            ("cookie", false, false),
            ("proxy-authorization", false, false),
            ("referer", false, false),
            ("x-forwarded-access-token", false, false),
            ("x-amzn-oidc-data", false, false),
            ("cf-access-jwt-assertion", false, false),
            ("authorization", false, true),
            ("x-hub-signature-256", true, true),
            ("webhook-signature", true, true),
            ("x-forwarded-host", true, true),
            ("x-gitlab-token", true, true),
        ];
        for (name, anonymous, authenticated) in rows {
            let name = HeaderName::from_static(name);
            assert_eq!(is_forwarded(&name, Trust::Anonymous), anonymous, "{name}");
            assert_eq!(is_forwarded(&name, Trust::Authenticated), authenticated, "{name}");
        }
    }
}
