//! Keeps pages of other sites from reading the inbox.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};

use crate::site::Site;

/// Whether the request names this server. The host name of another site can be made to resolve to
/// this machine; its pages would then count as ours. Addresses cannot.
pub(super) fn is_own_host(uri: &Uri, headers: &HeaderMap, site: &Site) -> bool {
    let named = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let authority = named.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let Some(url) = authority.and_then(|it| url::Url::parse(&format!("http://{it}")).ok()) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)) => true,
        Some(url::Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost") || site.host() == Some(&name)
        },
        None => false,
    }
}

/// The response to a request that names another server.
pub(super) fn refuse() -> Response {
    let text = "The inbox is only shown at an address of this machine, at localhost, and at the host of `public_url`.\n";
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

/// Keeps pages of other sites from embedding the response.
pub(super) fn protect(mut response: Response) -> Response {
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_accepted() {
        let site = Site::new("https://Hooks.example.com/dev".parse().unwrap());
        let cases = [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("192.0.2.7", true),
            ("localhost:8080", true),
            ("hooks.example.com", true),
            ("rebound.example.org:8080", false),
            ("localhost.example.org", false),
            ("a b", false),
        ];
        for (host, expected) in cases {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(
                is_own_host(&Uri::from_static("/inbox"), &headers, &site),
                expected,
                "{host}"
            );
        }
        assert!(!is_own_host(&Uri::from_static("/inbox"), &HeaderMap::new(), &site));
    }
}
