//! Which URLs lead back to this deployment.
//!
//! A delivery to the URL of a source becomes a message again, in an endless loop. The check reports
//! the mistake when the endpoint is created. What it cannot see (another name of the same host, a
//! proxy, a loop through another server) is stopped by [`hops`](crate::hops).

use postrider::api::endpoint::MAX_URL;
use url::{Host, Url};

use crate::address::{self, Policy, UrlError};

/// Paths that accept requests, below a URL of this deployment.
const PATHS: [&str; 3] = ["in/", "api/", "ingest/"];

/// Which URLs an endpoint may have, and which its transformation may choose.
#[derive(Clone, Debug, Default)]
pub struct UrlRules {
    pub policy: Policy,
    pub own: OwnUrls,
}

/// Why an endpoint may not be called at a URL.
#[derive(Debug, thiserror::Error)]
pub enum UrlRefusal {
    #[error("is longer than {MAX_URL} bytes")]
    TooLong,
    #[error(transparent)]
    Address(#[from] UrlError),
    #[error("is a URL of this server, so webhooks could loop; set `allow_own_urls` to allow it")]
    Own,
}

impl UrlRules {
    /// Parses the URL of an endpoint, and refuses one that must not be called.
    pub fn check(&self, text: &str) -> Result<Url, UrlRefusal> {
        if text.len() > MAX_URL {
            return Err(UrlRefusal::TooLong);
        }
        let url = address::check_url(text, &self.policy)?;
        if self.own.lead_to(&url) { Err(UrlRefusal::Own) } else { Ok(url) }
    }
}

/// The URLs under which this deployment is reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnUrls(pub Vec<Url>);

impl OwnUrls {
    /// Whether the URL accepts requests of this deployment: it belongs to a source, a relay or the
    /// API.
    pub fn lead_to(&self, url: &Url) -> bool {
        self.0.iter().any(|own| is_same_place(own, url) && is_below(own, url))
    }
}

fn is_below(own: &Url, url: &Url) -> bool {
    let base = own.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(base).and_then(|it| it.strip_prefix('/'));
    rest.is_some_and(|rest| {
        let rest = rest.trim_start_matches('/');
        PATHS.iter().any(|path| rest.starts_with(path))
    })
}

/// A reverse proxy usually accepts both schemes at their default ports.
fn is_same_place(own: &Url, url: &Url) -> bool {
    let is_default = |it: &Url| it.port().is_none();
    let has_same_port = own.port_or_known_default() == url.port_or_known_default()
        || (is_default(own) && is_default(url));
    has_same_port && is_same_host(own, url)
}

fn is_same_host(own: &Url, url: &Url) -> bool {
    match (own.host(), url.host()) {
        (Some(Host::Domain(own)), Some(Host::Domain(name))) => {
            own.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.'))
        },
        (Some(own), Some(other)) => own == other || (is_here(&own) && is_here(&other)),
        _ => false,
    }
}

/// Whether the host is this machine under any of its names. A server that listens on all addresses
/// has the unspecified address.
fn is_here(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        Host::Ipv4(it) => it.is_loopback() || it.is_unspecified(),
        Host::Ipv6(it) => {
            let it = it.to_canonical();
            it.is_loopback() || it.is_unspecified()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &str, url: &str, expected: bool) {
        let own = OwnUrls(vec![own.parse().unwrap()]);
        assert_eq!(own.lead_to(&url.parse().unwrap()), expected, "{own:?} {url}");
    }

    #[test]
    fn urls_that_accept_requests_of_this_deployment_are_detected() {
        let own = "https://Hooks.example.com";
        check(own, "https://hooks.example.com/in/token", true);
        check(own, "https://hooks.example.com./in/token/?q", true);
        check(own, "http://hooks.example.com/in/token", true);
        check(own, "https://hooks.example.com:443//in/token", true);
        check(own, "https://hooks.example.com/api/v1/receive/p_x/", true);
        check(own, "https://hooks.example.com/a/../in/token", true);
        check(own, "https://hooks.example.com:8443/in/token", false);
        check(own, "https://other.example.com/in/token", false);
        check(own, "https://hooks.example.com/inbox", false);
        check(own, "https://hooks.example.com/", false);
    }

    #[test]
    fn one_check_decides_for_endpoints_and_for_their_transformations() {
        let own = OwnUrls(vec!["https://hooks.example.com".parse().unwrap()]);
        let rules = UrlRules { policy: Policy::default(), own };
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL));
        for (text, expected) in [
            ("https://example.com/x", None),
            ("https://hooks.example.com/in/token", Some("is a URL of this server")),
            ("ftp://example.com", Some("http")),
            ("https://127.0.0.1/", Some("")),
            (&long, Some("is longer than")),
        ] {
            let refusal = rules.check(text).err().map(|it| it.to_string());
            assert_eq!(refusal.is_some(), expected.is_some(), "{text}: {refusal:?}");
            assert!(refusal.unwrap_or_default().contains(expected.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn a_path_of_the_public_url_counts() {
        let own = "https://example.com/hooks/";
        check(own, "https://example.com/hooks/in/token", true);
        check(own, "https://example.com/in/token", false);
        check(own, "https://example.com/hooks2/in/token", false);
    }

    #[test]
    fn this_machine_has_many_names() {
        for own in ["http://127.0.0.1:8071/", "http://0.0.0.0:8071/", "http://[::]:8071/"] {
            for host in ["127.0.0.1", "127.8.8.8", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
                check(own, &format!("http://{host}:8071/in/token"), true);
                check(own, &format!("http://{host}:8072/in/token"), false);
            }
        }
        check("http://10.0.0.1:8071/", "http://10.0.0.1:8071/in/token", true);
        check("http://10.0.0.1:8071/", "http://127.0.0.1:8071/in/token", false);
    }
}
