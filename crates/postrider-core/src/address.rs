//! Which addresses and URLs deliveries may reach.
//!
//! Whoever can name a URL can make the server call it, so everything that is not on the
//! public Internet is refused unless the configuration allows its network. The check of an
//! address is made on the one that is then connected to, at every attempt; the check of a
//! URL only refuses early what could never be called, or is spelled to deceive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::ports::Ports;

/// What deliveries may reach beyond the public Internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that are allowed although they are not public.
    pub allow: Vec<IpNet>,
    /// Networks that are refused, even if they are public or `allow` has them.
    pub deny: Vec<IpNet>,
    pub ports: Ports,
    /// Refuse URLs that are not `https`.
    pub https_only: bool,
}

/// Why an address may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("{0} is not a public address ({1}); `allow_networks` can allow it")]
    NotPublic(IpAddr, &'static str),
    #[error(
        "{0} is the address of a cloud's metadata service; `allow_networks` can only allow it by \
         naming this address alone"
    )]
    Metadata(IpAddr),
    #[error("{0} is in a network that `deny_networks` denies")]
    Denied(IpAddr),
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
    ForbiddenPort(#[from] ForbiddenPort),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// The port is not among those that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("port {0} is not allowed; `allow_ports` can allow it")]
pub struct ForbiddenPort(pub u16);

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

/// Networks in public address space that only a cloud's own machines can reach: Azure's virtual
/// address for its agent, and IBM Cloud's services.
const CLOUD: [(Ipv4Addr, u8, &str); 3] = [
    (Ipv4Addr::new(168, 63, 129, 16), 32, "internal to a cloud"),
    (Ipv4Addr::new(161, 26, 0, 0), 16, "internal to a cloud"),
    (Ipv4Addr::new(166, 8, 0, 0), 14, "internal to a cloud"),
];

/// Special-purpose networks within IPv6's global unicast space; all else is refused anyway.
const IPV6: [(Ipv6Addr, u8, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "reserved"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// Addresses that hand out a machine's credentials. A network of one's own that is allowed, such
/// as 169.254.0.0/16, does not open them.
const METADATA_V4: [Ipv4Addr; 8] = [
    // AWS, Azure, DigitalOcean, Google Cloud, Hetzner, IBM Cloud, OpenStack, Oracle Cloud.
    Ipv4Addr::new(169, 254, 169, 254),
    // AWS: credentials of ECS tasks and of EKS pods.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent Cloud.
    Ipv4Addr::new(169, 254, 0, 23),
    // Scaleway.
    Ipv4Addr::new(169, 254, 42, 42),
    // Alibaba Cloud.
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle Cloud, the older address.
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure: agent and platform resources.
    Ipv4Addr::new(168, 63, 129, 16),
];

const METADATA_V6: [Ipv6Addr; 6] = [
    // AWS, and its credentials of EKS pods.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google Cloud.
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // Oracle Cloud.
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway.
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    // OpenStack.
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
];

/// Names that never belong to a customer, whatever networks are allowed. They matter where a
/// proxy resolves names; elsewhere the addresses are refused too.
const METADATA: [&str; 9] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "api.metadata.cloud.ibm.com",
    "instance-data",
    "instance-data.ec2.internal",
    "rancher-metadata",
];

/// Last labels of names that mean something private.
const PRIVATE_SUFFIXES: [&str; 6] =
    ["localhost", "local", "localdomain", "internal", "home.arpa", "onion"];

/// Whether an address may be called.
pub fn check(address: IpAddr, policy: &Policy) -> Result<(), Forbidden> {
    let meant = translated(address).map_or(address, IpAddr::V4);
    let inner = tunnelled(address).map(IpAddr::V4);
    let forms = [Some(address), Some(meant), inner];
    let forms = || forms.into_iter().flatten();
    if forms().any(|form| policy.deny.iter().any(|it| it.contains(&form))) {
        return Err(Forbidden::Denied(address));
    }
    if policy.names(address) {
        return Ok(());
    }
    if forms().any(|it| is_metadata(it) && !policy.names(it)) {
        return Err(Forbidden::Metadata(address));
    }
    // An address that is translated on the way counts as the one that it leads to. The end of a
    // tunnel can be reached under both of its addresses, so both have to be allowed.
    let is_closed = |form: &IpAddr| !policy.allows(*form);
    let target = Some(meant).filter(is_closed).filter(|_| is_closed(&address));
    let kind = [target, inner.filter(is_closed)].into_iter().flatten().find_map(special);
    kind.map_or(Ok(()), |kind| Err(Forbidden::NotPublic(address, kind)))
}

impl Policy {
    fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|it| it.contains(&address))
    }

    /// Whether this address alone is allowed.
    fn names(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|it| it.prefix_len() == it.max_prefix_len() && it.contains(&address))
    }
}

/// Whether the URL's port may be called.
pub fn check_port(url: &Url, policy: &Policy) -> Result<(), ForbiddenPort> {
    match url.port_or_known_default() {
        Some(port) if !policy.ports.contain(port) => Err(ForbiddenPort(port)),
        Some(_) | None => Ok(()),
    }
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
    check_port(&url, policy)?;
    check_spelling(text, &url)?;
    match url.host().ok_or(UrlError::NoHost)? {
        Host::Ipv4(address) => check(IpAddr::V4(address), policy)?,
        Host::Ipv6(address) => check(IpAddr::V6(address), policy)?,
        Host::Domain(name) => check_name(name, policy)?,
    }
    Ok(url)
}

/// The IPv4 address that an IPv6 address is only another form of.
fn translated(address: IpAddr) -> Option<Ipv4Addr> {
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

/// The IPv4 address at the other end of a tunnel, if the interface's part of an IPv6 address is
/// one of ISATAP (RFC 5214), whatever its network. The two bits that say whether the address is
/// universal and whether it is a group's may be set or not.
fn tunnelled(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    match address.segments() {
        [_, _, _, _, bits, 0x5efe, high, low] if bits & !0x0300 == 0 => {
            Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        },
        _ => None,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => METADATA_V6.contains(&address),
    }
}

fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    IPV4.iter()
        .chain(&CLOUD)
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
        forbidden(&[
            "168.63.129.16",
            "161.26.0.10",
            "166.8.0.1",
            "::ffff:168.63.129.16",
            "64:ff9b::168.63.129.16",
            // ISATAP, with a network that is public.
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:10.0.0.1",
            "2606:4700::100:5efe:127.0.0.1",
            "2606:4700::300:5efe:169.254.169.254",
            "2002:808:808::5efe:10.0.0.1",
            "2002:808:808::200:5efe:192.168.1.1",
            // ISATAP of a public address, with a network that is none.
            "fe80::5efe:8.8.8.8",
            "fd00::200:5efe:8.8.8.8",
            "::5efe:8.8.8.8",
            "2002:a00:1::5efe:8.8.8.8",
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
            "2606:4700::5efe:8.8.8.8",
            "2606:4700::400:5efe:10.0.0.1",
            "168.63.129.17",
            "166.12.0.1",
        ] {
            assert_eq!(check(address.parse().unwrap(), &Policy::default()), Ok(()), "{address}");
        }
    }

    #[test]
    fn allowed_networks_open_what_they_hold_and_no_more() {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let policy = Policy { allow, ..Policy::default() };
        for (address, expected) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("fd00::1", true),
            ("::1", false),
            ("10.0.0.1", false),
            ("fc00::1", false),
            ("fd00::5efe:127.0.0.1", true),
            ("fd00::5efe:10.0.0.1", false),
            ("fc00::5efe:127.0.0.1", false),
            ("2606:4700::5efe:127.0.0.1", true),
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
            "https://example.com:22/",
            "http://example.com:25/",
            "http://168.63.129.16/",
            "http://[2606:4700::5efe:10.0.0.1]/",
            "http://metadata.goog/",
        ] {
            assert!(check_url(bad, &policy).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_allowed_network_allows_its_urls_but_never_metadata() {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "169.254.0.0/16".parse().unwrap()];
        let policy = Policy { allow, ports: "1-65535".parse().unwrap(), ..Policy::default() };
        assert!(check_url("http://127.0.0.1:9/hook", &policy).is_ok());
        assert!(check_url("http://localhost:9/hook", &policy).is_ok());
        assert!(check_url("http://0x7f.0.0.1/", &policy).is_err());
        assert!(check_url("http://metadata.google.internal/", &policy).is_err());
        let policy = Policy { https_only: true, ..policy };
        assert_eq!(check_url("http://127.0.0.1:9/", &policy), Err(UrlError::NotHttps));
    }

    #[test]
    fn denied_networks_win_over_allowed_ones_in_every_form() {
        let deny = vec!["10.1.0.0/16".parse().unwrap(), "2606:4700::/32".parse().unwrap()];
        let allow = vec!["10.0.0.0/8".parse().unwrap(), "2606:4700:1::/48".parse().unwrap()];
        let policy = Policy { allow, deny, ..Policy::default() };
        for (address, expected) in [
            ("10.2.0.1", true),
            ("10.1.0.1", false),
            ("::ffff:10.1.0.1", false),
            ("64:ff9b::10.1.0.1", false),
            ("2002:a01:1::1", false),
            ("2001:4860::5efe:10.1.0.1", false),
            ("2606:4700:1::1", false),
            ("2606:4700::1", false),
            ("8.8.8.8", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let denied = check(address, &policy);
            let expected = if expected { Ok(()) } else { Err(Forbidden::Denied(address)) };
            assert_eq!(denied, expected, "{address}");
        }
    }

    #[test]
    fn metadata_services_are_allowed_only_by_their_own_address() {
        let of = |allow: &[&str]| {
            let allow = allow.iter().map(|it| it.parse().unwrap()).collect();
            Policy { allow, ..Policy::default() }
        };
        let wide = of(&["0.0.0.0/0", "::/0", "169.254.0.0/16", "100.64.0.0/10", "fd00::/8"]);
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2606:4700::5efe:169.254.169.254",
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(check(address, &wide), Err(Forbidden::Metadata(address)));
            let own = Policy { allow: vec![address.into()], ..Policy::default() };
            assert_eq!(check(address, &own), Ok(()), "{address}");
        }
        assert_eq!(check("169.254.169.250".parse().unwrap(), &wide), Ok(()));
        let own = of(&["169.254.169.254/32"]);
        assert!(check("::ffff:169.254.169.254".parse().unwrap(), &own).is_ok());
        assert!(check("fd00::5efe:169.254.169.254".parse().unwrap(), &own).is_err());
    }

    #[test]
    fn only_allowed_ports_can_be_called() {
        let policy = Policy { ports: "443,8443".parse().unwrap(), ..Policy::default() };
        for (url, expected) in [
            ("https://example.com/", Ok(())),
            ("https://example.com:8443/", Ok(())),
            ("http://example.com:443/", Ok(())),
            ("http://example.com/", Err(ForbiddenPort(80))),
            ("https://example.com:22/", Err(ForbiddenPort(22))),
            ("https://8.8.8.8:9443/", Err(ForbiddenPort(9_443))),
        ] {
            let checked = check_url(url, &policy).map(drop);
            assert_eq!(checked, expected.map_err(UrlError::ForbiddenPort), "{url}");
        }
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
