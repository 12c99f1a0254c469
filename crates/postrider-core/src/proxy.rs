//! Decisions about proxies: which hosts are called directly, and how requests over plain HTTP pass
//! through a proxy.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// Hosts that are called directly, without the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    hosts: Hosts,
    /// `None` for any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// Hosts that are written as an address in this network.
    Network(IpNet),
    /// A name and its subdomains.
    Name(String),
}

impl NoProxy {
    /// Parses the items of a list; `Err` is the first malformed item.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let rules = items.into_iter().map(|item| rule(item.trim()).ok_or(item));
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// Whether the URL's host is called directly. Names are not resolved: a network covers only
    /// hosts that are written as addresses.
    pub fn covers(&self, url: &Url) -> bool {
        let (Some(host), port) = (url.host(), url.port_or_known_default()) else { return false };
        self.0
            .iter()
            .any(|rule| rule.port.is_none_or(|it| Some(it) == port) && rule.hosts.contain(&host))
    }
}

impl Hosts {
    fn contain(&self, host: &Host<&str>) -> bool {
        let address = match host {
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
            Host::Domain(host) => {
                return match self {
                    Self::All => true,
                    Self::Network(_) => false,
                    Self::Name(name) => is_within(host, name),
                };
            },
        };
        match self {
            Self::All => true,
            Self::Network(network) => {
                network.contains(&address) || network.contains(&address.to_canonical())
            },
            Self::Name(_) => false,
        }
    }
}

fn is_within(host: &str, name: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `*`, a network, or a host with or without a port; a name with or without a leading dot.
fn rule(item: &str) -> Option<Rule> {
    if item == "*" {
        return Some(Rule { hosts: Hosts::All, port: None });
    }
    if item.contains('/') {
        let network = item.replace(['[', ']'], "").parse().ok()?;
        return Some(Rule { hosts: Hosts::Network(network), port: None });
    }
    if let Ok(address) = item.parse::<IpAddr>() {
        return Some(Rule { hosts: Hosts::Network(address.into()), port: None });
    }
    let (host, port) = match item.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (item, None),
    };
    let hosts = match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(address) => Hosts::Network(address.parse::<IpAddr>().ok()?.into()),
        None => match host.parse::<IpAddr>() {
            Ok(address) => Hosts::Network(address.into()),
            Err(_) => Hosts::Name(name(host)?),
        },
    };
    Some(Rule { hosts, port })
}

fn name(text: &str) -> Option<String> {
    let name = text.trim_start_matches("*.").trim_matches('.');
    // International names are compared in the form in which URLs contain them.
    let Ok(Host::Domain(name)) = Host::parse(name) else { return plain(name) };
    Some(name.to_ascii_lowercase())
}

/// A name that no URL can contain, such as `1`, which is an address in a URL; it never matches.
fn plain(name: &str) -> Option<String> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    (!name.is_empty() && name.chars().all(is_plain)).then(|| name.to_ascii_lowercase())
}

/// Whether an HTTP proxy forwards the request to this URL, instead of opening a tunnel.
///
/// A proxy that forwards a request connects to the host in the request's target and replaces
/// the `Host` header by it (RFC 9112, section 3.2.2). If the proxy must use the address that was
/// checked, only URLs with an address as host can be forwarded. Otherwise the receiver would get
/// the address instead of the name.
pub fn is_forwarded(url: &Url, proxy_resolves: bool) -> bool {
    let is_address = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    url.scheme() == "http" && (proxy_resolves || is_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_proxy_are_matched_by_name_address_network_and_port() {
        let check = |list: &str, url: &str, expected| {
            let rules = NoProxy::parse(list.split(',')).unwrap();
            assert_eq!(rules.covers(&Url::parse(url).unwrap()), expected, "{list} {url}");
        };
        for (list, url, expected) in [
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", true),
            ("10.0.0.0/8", "http://host.example.com/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("[fd00::]/8", "https://[fd12::1]/", true),
            ("::1", "http://[::1]:8080/", true),
            ("[::1]", "http://[::1]/", true),
            ("[::1]:8080", "http://[::1]:8080/", true),
            ("[::1]:8080", "http://[::1]/", false),
            ("LOCALHOST", "http://localhost/", true),
            ("localhost", "http://LOCALHOST./", true),
            ("1", "http://127.0.0.1/", false),
            ("0.0.1", "http://127.0.0.1/", false),
            ("127.0.0.1", "http://127.0.0.1:9/", true),
            ("127.0.0.1", "http://127.0.0.10/", false),
            ("example.com", "https://example.com/", true),
            ("example.com", "https://a.b.Example.com/", true),
            ("example.com", "https://notexample.com/", false),
            ("example.com", "https://example.com.evil.test/", false),
            (".example.com", "https://example.com/", true),
            (".example.com", "https://a.example.com/", true),
            ("*.example.com", "https://a.example.com/", true),
            ("example.com.", "https://example.com/", true),
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:443", "https://a.example.com/", true),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
            ("my_host", "http://my_host/", true),
            ("other.test, example.com", "https://example.com/", true),
            ("*", "https://anything.test/", true),
            ("*", "http://[::1]/", true),
        ] {
            check(list, url, expected);
        }
        assert!(!NoProxy::default().covers(&Url::parse("http://localhost/").unwrap()));
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for item in ["10.0.0.0/33", "a/b", "host:port", "[::1", "[x]", "", "a b", "http://x"] {
            assert_eq!(NoProxy::parse([item]), Err(item), "{item}");
        }
    }

    #[test]
    fn plain_http_is_forwarded_only_if_the_proxy_may_know_the_host() {
        for (url, proxy_resolves, expected) in [
            ("http://example.com/", true, true),
            ("http://example.com/", false, false),
            ("http://93.184.216.34/", false, true),
            ("http://[2606:4700::1111]/", false, true),
            ("https://example.com/", true, false),
            ("https://93.184.216.34/", false, false),
        ] {
            assert_eq!(is_forwarded(&Url::parse(url).unwrap(), proxy_resolves), expected, "{url}");
        }
    }
}
