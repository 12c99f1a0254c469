//! Which addresses and URLs may be called: protection against server-side request forgery.
//!
//! A customer who sets a URL can make the server call it. So addresses that are not on the public
//! Internet are refused unless the configuration allows their network. On every attempt the check
//! is made on the address that is then connected to. The check of a URL only refuses early what
//! could never be called, or is spelled to deceive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::ports::Ports;

/// What may be called in addition to the public Internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that are allowed although they are not public.
    pub allow: Vec<IpNet>,
    /// Networks that are refused, even if they are public or in `allow`.
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

/// Why a URL cannot be the URL of an endpoint.
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

/// The port is not allowed.
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

/// Addresses of services that return a machine's credentials. Allowing a network that contains
/// them, such as 169.254.0.0/16, does not allow them.
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

/// Names that never belong to a customer, whatever networks are allowed. They matter if a proxy
/// resolves names; otherwise the addresses are refused too.
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
mod tests;
