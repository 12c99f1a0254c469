//! The address of the client that sent a request, also behind a reverse proxy.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use ipnet::IpNet;
use postrider_core::connections::network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of a connection's client, or of a proxy in front of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The network of the request's client: its address, or its /64 network in IPv6.
pub(crate) fn client_network(proxies: &[IpNet], peer: Option<Peer>, headers: &HeaderMap) -> IpAddr {
    network(client_address(proxies, peer, headers).unwrap_or(Ipv6Addr::UNSPECIFIED.into()))
}

/// The address of the request's client; none if the request did not come over the network.
///
/// A reverse proxy appends the address that it sees to `x-forwarded-for`. Earlier addresses in
/// this header come from the client and may be forged, so only the last one counts, and only if
/// the connection comes from a trusted proxy.
pub(crate) fn client_address(
    proxies: &[IpNet],
    peer: Option<Peer>,
    headers: &HeaderMap,
) -> Option<IpAddr> {
    let peer = peer?.0.to_canonical();
    let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
    let forwarded = forwarded
        .filter(|_| proxies.iter().any(|it| it.contains(&peer)))
        .and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    Some(forwarded.unwrap_or(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded: &[&'static str], expected: &str) {
        let peer = Some(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for it in forwarded {
            headers.append(FORWARDED_FOR, http::HeaderValue::from_static(it));
        }
        let proxies = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"].map(|it| it.parse().unwrap());
        assert_eq!(client_network(&proxies, peer, &headers).to_string(), expected);
    }

    #[test]
    fn only_the_address_that_a_trusted_proxy_added_counts() {
        check("203.0.113.7", &[], "203.0.113.7");
        check("203.0.113.7", &["198.51.100.1"], "203.0.113.7");
        check("127.0.0.1", &["192.0.2.1, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["192.0.2.1", "198.51.100.1"], "198.51.100.1");
        check("192.168.0.1", &["198.51.100.1"], "192.168.0.1");
        check("127.0.0.1", &["nonsense"], "127.0.0.1");
        check("::ffff:127.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::");
        check("::1", &["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::");
    }
}
