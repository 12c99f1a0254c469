//! What a request to a listener's URL reveals of the one that made it, and who may not make it.
//!
//! Programs listen under our host name, and a stranger may run one. A browser that is lured to
//! such a URL sends what it keeps for our host; nothing of that may reach the program.

use http::{HeaderMap, HeaderName, Method, header};

use super::sessions::Trust;

/// Headers that only browsers send: a page can neither set nor leave them out.
const OF_BROWSERS: [&str; 7] = [
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-purpose",
    "upgrade-insecure-requests",
];

/// Headers that hold a visitor's session or tell where the visitor comes from.
const OF_VISITORS: [&str; 8] = [
    "cookie",
    "cookie2",
    "proxy-authorization",
    "referer",
    "ssl-client-cert",
    "x-client-cert",
    "x-forwarded-client-cert",
    "x-ssl-client-cert",
];

/// Beginnings of headers by which proxies that log people in tell who it is.
const OF_LOGINS: [&str; 12] = [
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

/// Whether a browser made the request. Webhook senders have no reason to look like one.
pub(super) fn is_browser(method: &Method, headers: &HeaderMap) -> bool {
    let is_page = || {
        let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|it| it.to_str().ok());
        accepts.flat_map(|it| it.split(',')).any(|it| is_page(it.split(';').next().unwrap_or(it)))
    };
    // Java's HTTP client asks for pages too when it posts.
    let is_visit = [Method::GET, Method::HEAD].contains(method) && is_page();
    is_visit || OF_BROWSERS.iter().any(|name| headers.contains_key(*name))
}

fn is_page(media_type: &str) -> bool {
    let media_type = media_type.trim();
    ["text/html", "application/xhtml+xml"].iter().any(|it| media_type.eq_ignore_ascii_case(it))
}

/// Whether the header is passed on to a program of this standing. `Authorization` may be a
/// webhook sender's own, which is the business of a program that has shown a token itself.
pub(super) fn may_pass(name: &HeaderName, trust: Trust) -> bool {
    let name = name.as_str();
    let is_credential = match trust {
        Trust::Stranger => name == header::AUTHORIZATION.as_str(),
        Trust::TokenHolder => false,
    };
    let is_login = || OF_LOGINS.iter().any(|beginning| name.starts_with(beginning));
    !is_credential && !OF_VISITORS.contains(&name) && !is_login()
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
    fn browsers_are_told_from_webhook_senders() {
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
    fn credentials_of_visitors_stay_here() {
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
        for (name, stranger, holder) in rows {
            let name = HeaderName::from_static(name);
            assert_eq!(may_pass(&name, Trust::Stranger), stranger, "{name}");
            assert_eq!(may_pass(&name, Trust::TokenHolder), holder, "{name}");
        }
    }
}
