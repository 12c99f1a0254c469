//! URLs as people type them.

use std::net::IpAddr;

use url::{Host, Url};

const EXPECTED: &str = "expected a URL such as http://localhost:3000/webhooks";

/// Reads a URL to call. One without a scheme is `http` if it stays on this machine or near it;
/// elsewhere that would be a guess that sends tokens and events in the clear.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let has_scheme = has_scheme(text);
    let whole = if has_scheme { text.to_owned() } else { format!("http://{text}") };
    let url: Option<Url> = whole.parse().ok().filter(|_| !text.starts_with('/'));
    let url = url.ok_or(EXPECTED)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{EXPECTED}, with http:// or https://"));
    }
    if !has_scheme && !is_near(&url) {
        return Err(format!("the scheme is missing: write https://{text} or http://{text}"));
    }
    Ok(url)
}

/// `localhost:3000` is a host with a port here, although it reads like a scheme.
fn has_scheme(text: &str) -> bool {
    let begins_with = |it: &str| text.get(..it.len()).is_some_and(|of| of.eq_ignore_ascii_case(it));
    text.contains("://") || begins_with("http:") || begins_with("https:")
}

/// Names without a dot are those of this machine, its network and its containers.
pub(crate) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        None => false,
    }
}

const fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => it.is_loopback() || it.is_private() || it.is_unspecified(),
        IpAddr::V6(it) => it.is_loopback() || it.is_unique_local() || it.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(http_url(text).ok().as_ref().map(Url::as_str), expected, "{text:?}");
    }

    #[test]
    fn near_hosts_need_no_scheme_and_others_do() {
        check("http://localhost:3000/x", Some("http://localhost:3000/x"));
        check("HTTPS://hooks.example.com", Some("https://hooks.example.com/"));
        check("localhost:3000/x", Some("http://localhost:3000/x"));
        check("localhost:3000", Some("http://localhost:3000/"));
        check("localhost", Some("http://localhost/"));
        check(" localhost:3000/x?a=b\n", Some("http://localhost:3000/x?a=b"));
        check("app.localhost:3000", Some("http://app.localhost:3000/"));
        check("receiver:8080/in", Some("http://receiver:8080/in"));
        check("127.0.0.1:3000", Some("http://127.0.0.1:3000/"));
        check("10.1.2.3/x", Some("http://10.1.2.3/x"));
        check("[::1]:3000/x", Some("http://[::1]:3000/x"));
        check("hooks.example.com/in", None);
        check("hooks.example.com:443", None);
        check("203.0.113.7:3000", None);
        check("ftp://localhost/", None);
        check("mailto:a@example.com", None);
        check("http://", None);
        check("localhost:port", None);
        check("/hook", None);
        check("", None);
        assert!(http_url("hooks.example.com/in").unwrap_err().contains("https://hooks.example"));
    }
}
