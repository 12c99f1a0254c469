//! Which addresses and URLs deliveries may reach.
//!
//! Whoever can name a URL can make the server call it, so everything that is not on the
//! public Internet is refused unless the configuration allows its network. The check of an
//! address is made on the one that is then connected to, at every attempt; the check of a
//! URL only refuses early what could never be called, or is spelled to deceive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// What deliveries may reach beyond the public Internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that are allowed although they are not public.
    pub allow: Vec<IpNet>,
    /// Refuse URLs that are not `https`.
    pub https_only: bool,
}

/// The address is not on the public Internet and its network is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not a public address ({kind}); `allow_networks` can allow it")]
pub struct Forbidden {
    pub address: IpAddr,
    pub kind: &'static str,
}

/// Why a URL cannot be an endpoint's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("is not a URL: {0}")]
    Malformed(#[from] url::ParseError),
    #[error("scheme must be http or https")]
    Scheme,
    #[error("scheme must be https here")]
    NotHttps,
    #[error("must not carry a user name or password")]
    Credentials,
    #[error("must name a host")]
    NoHost,
    #[error("host must be spelled as {expected}")]
    OddHost { expected: String },
    #[error("host name {0} is reserved")]
    ReservedHost(String),
    #[error("port must be at least 1")]
    Port,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// Special-purpose IPv4 networks (IANA's registry, RFC 6890 and its successors).
#[expect(clippy::ip_constant, reason = "a table of networks, not of well-known hosts")]
const IPV4: [(Ipv4Addr, u8, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Special-purpose networks within IPv6's global unicast space; all else is refused anyway.
const IPV6: [(Ipv6Addr, u8, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "reserved"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// Names that never belong to a customer, whatever networks are allowed.
const METADATA: [&str; 4] =
    ["metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"];

/// Last labels of names that mean something private.
const PRIVATE_SUFFIXES: [&str; 6] =
    ["localhost", "local", "localdomain", "internal", "home.arpa", "onion"];

/// Whether an address may be called.
pub fn check(address: IpAddr, policy: &Policy) -> Result<(), Forbidden> {
    let meant = embedded(address).map_or(address, IpAddr::V4);
    let is_allowed = |it: &IpNet| it.contains(&address) || it.contains(&meant);
    if policy.allow.iter().any(is_allowed) {
        return Ok(());
    }
    let kind = match meant {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    };
    kind.map_or(Ok(()), |kind| Err(Forbidden { address, kind }))
}

/// Parses an endpoint's URL and refuses what could never be called.
pub fn check_url(text: &str, policy: &Policy) -> Result<Url, UrlError> {
    let url = Url::parse(text)?;
    match (url.scheme(), policy.https_only) {
        ("https", _) | ("http", false) => {},
        ("http", true) => return Err(UrlError::NotHttps),
        _ => return Err(UrlError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
        return Err(UrlError::Credentials);
    }
    if url.port() == Some(0) {
        return Err(UrlError::Port);
    }
    check_spelling(text, &url)?;
    match url.host().ok_or(UrlError::NoHost)? {
        Host::Ipv4(address) => check(IpAddr::V4(address), policy)?,
        Host::Ipv6(address) => check(IpAddr::V6(address), policy)?,
        Host::Domain(name) => check_name(name, policy)?,
    }
    Ok(url)
}

/// The IPv4 address that an IPv6 address is only another form of.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // Loopback and the unspecified address stand in the network of compatible ones.
        [0, 0, 0, 0, 0, 0, 0, _] => None,
        // Compatible (::/96), mapped (::ffff:0:0/96), translated (::ffff:0:0:0/96), and NAT64
        // (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    IPV4.iter()
        .find(|(network, length, _)| Ipv4Net::new_assert(*network, *length).contains(&address))
        .map(|(_, _, kind)| *kind)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments()[0] {
        0 if address.is_loopback() => Some("loopback"),
        0 if address.is_unspecified() => Some("unspecified"),
        0xfe80..=0xfebf => Some("link-local"),
        0xfc00..=0xfdff => Some("private"),
        0xff00..=0xffff => Some("multicast"),
        0x2000..=0x3fff => IPV6
            .iter()
            .find(|(network, length, _)| Ipv6Net::new_assert(*network, *length).contains(&address))
            .map(|(_, _, kind)| *kind),
        _ => Some("not global unicast"),
    }
}

fn check_name(name: &str, policy: &Policy) -> Result<(), UrlError> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_private = PRIVATE_SUFFIXES.iter().any(|suffix| {
        name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if METADATA.contains(&name.as_str()) || (is_private && policy.allow.is_empty()) {
        return Err(UrlError::ReservedHost(name));
    }
    Ok(())
}

/// Refuses hosts that a reader would take for something else, such as `0x7f.1`, `017700000001`
/// or full-width digits, all of which mean 127.0.0.1.
fn check_spelling(text: &str, url: &Url) -> Result<(), UrlError> {
    let expected = url.host_str().ok_or(UrlError::NoHost)?;
    let authority = authority(text);
    let host = match authority.rfind(']') {
        Some(end) => authority.get(..=end).unwrap_or(authority),
        None => authority.split(':').next().unwrap_or(authority),
    };
    let is_same = match url.host() {
        // Any spelling of an IPv6 address is one to a reader too, but for a zone.
        Some(Host::Ipv6(_)) => host.starts_with('[') && !host.contains('%'),
        Some(Host::Ipv4(_)) => host == expected,
        // International names change by their encoding, and may.
        Some(Host::Domain(_)) => !host.contains('%'),
        None => false,
    };
    if is_same { Ok(()) } else { Err(UrlError::OddHost { expected: expected.to_owned() }) }
}

/// What stands between the scheme and the path, as it was written.
fn authority(text: &str) -> &str {
    let after = text.trim().split_once(':').map_or("", |(_, rest)| rest);
    let after = after.trim_start_matches(['/', '\\']);
    after.split(['/', '\\', '?', '#']).next().unwrap_or(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn forbidden(addresses: &[&str]) {
        for address in addresses {
            let result = check(address.parse().unwrap(), &Policy::default());
            assert!(result.is_err(), "{address}");
        }
    }

    #[test]
    fn what_is_not_public_is_refused() {
        forbidden(&[
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ]);
        forbidden(&[
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ]);
    }

    #[test]
    fn what_is_public_is_allowed() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(check(address.parse().unwrap(), &Policy::default()), Ok(()), "{address}");
        }
    }

    #[test]
    fn allowed_networks_open_what_they_hold_and_no_more() {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let policy = Policy { allow, https_only: false };
        for (address, expected) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("fd00::1", true),
            ("::1", false),
            ("10.0.0.1", false),
            ("fc00::1", false),
        ] {
            assert_eq!(check(address.parse().unwrap(), &policy).is_ok(), expected, "{address}");
        }
    }

    #[test]
    fn urls_are_plain_or_refused() {
        let policy = Policy::default();
        for good in [
            "https://example.com/hook",
            "http://example.com:8080/?a=b",
            "https://8.8.8.8/",
            "https://EXAMPLE.com",
            "https://bücher.example/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(check_url(good, &policy).is_ok(), "{good}: {:?}", check_url(good, &policy));
        }
        for bad in [
            "",
            "example.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://user@example.com",
            "https://user:pw@example.com",
            "https://@example.com",
            "https://example.com:0/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://8.8.2056/",
            "http://134744072/",
            "http://１.1.1.1/",
            "http://8.8.8.8./",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://nas.local/",
            "http://metadata.google.internal/",
            "http://metadata/",
            "http://169.254.169.254/",
            "http://1%32%37.0.0.1/",
            "javascript:alert(1)",
            "http://exa%6dple.com/",
        ] {
            assert!(check_url(bad, &policy).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_allowed_network_allows_its_urls_but_never_metadata() {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "169.254.0.0/16".parse().unwrap()];
        let policy = Policy { allow, https_only: false };
        assert!(check_url("http://127.0.0.1:9/hook", &policy).is_ok());
        assert!(check_url("http://localhost:9/hook", &policy).is_ok());
        assert!(check_url("http://0x7f.0.0.1/", &policy).is_err());
        assert!(check_url("http://metadata.google.internal/", &policy).is_err());
        let policy = Policy { https_only: true, ..policy };
        assert_eq!(check_url("http://127.0.0.1:9/", &policy), Err(UrlError::NotHttps));
    }

    proptest! {
        #[test]
        fn every_form_of_a_v4_address_is_judged_alike(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let expected = check(IpAddr::V4(v4), &Policy::default()).is_ok();
            let forms = [v4.to_ipv6_mapped(), Ipv6Addr::from((0x64_ff9b_u128 << 96) | u128::from(bits)),
                Ipv6Addr::from((0x2002_u128 << 112) | (u128::from(bits) << 80) | 1)];
            for form in forms {
                prop_assert_eq!(check(IpAddr::V6(form), &Policy::default()).is_ok(), expected, "{}", form);
            }
        }

        #[test]
        fn any_text_is_judged_without_a_panic(text in ".{0,60}") {
            let judged = check_url(&text, &Policy::default());
            let prefixed = check_url(&format!("http://{text}"), &Policy::default());
            prop_assert!(judged.is_err() || prefixed.is_err() || !text.is_empty());
        }
    }
}
