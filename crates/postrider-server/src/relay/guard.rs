//! Keeps short names of listening programs from being enumerated.
//!
//! An address that was wrong too often is refused whatever it asks for next, so that a name
//! that exists looks like one that does not.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use http::HeaderMap;
use ipnet::IpNet;
use postrider_core::{
    connections::network,
    guess_limit::{GuessCounter, GuessLimits},
    time::Timestamp,
};
use postrider_engine::Cache;

use crate::http::Peer;

/// Addresses that are remembered.
const ADDRESSES: usize = 8_192;

/// So many addresses may use up what one may, before all of them are too many.
const CROWD: u64 = 50;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Counts the wrong guesses of addresses.
#[derive(Debug)]
pub(super) struct Guard {
    by_address: Cache<IpAddr, GuessCounter>,
    all: Mutex<GuessCounter>,
    allowance: GuessLimits,
}

impl Guard {
    /// One address may be wrong so many times at once.
    pub(super) fn new(guesses: usize) -> Self {
        let of_one = guesses as u64;
        let of_all = of_one.saturating_mul(CROWD);
        let all_per_second = u32::try_from(CROWD).unwrap_or(u32::MAX);
        Self {
            by_address: Cache::new(ADDRESSES),
            all: Mutex::default(),
            allowance: GuessLimits {
                per_address: of_one,
                total: of_all,
                total_per_second: all_per_second,
            },
        }
    }

    /// Whether the address has to wait before it asks for a name again.
    pub(super) fn refuses(&self, address: IpAddr, now: Timestamp) -> bool {
        let of_one = self.by_address.get(&address).unwrap_or_default();
        let of_all = *self.all.lock().unwrap_or_else(PoisonError::into_inner);
        self.allowance.refuses(of_one, of_all, now)
    }

    /// The address asked for a name that does not exist.
    pub(super) fn add(&self, address: IpAddr, now: Timestamp) {
        let of_one = self.by_address.get(&address).unwrap_or_default();
        self.by_address.insert(address, of_one.add(now, 1));
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        *all = all.add(now, self.allowance.total_per_second);
    }
}

/// Where a request comes from. A proxy in front of the server adds the address that it sees to
/// a header; only one of these is believed.
pub(super) fn address(proxies: &[IpNet], peer: Option<Peer>, headers: &HeaderMap) -> IpAddr {
    let peer = peer.map_or(Ipv6Addr::UNSPECIFIED.into(), |it| it.0.to_canonical());
    let forwarded = headers.get_all(FORWARDED_FOR).iter().next_back();
    let forwarded = forwarded
        .filter(|_| proxies.iter().any(|it| it.contains(&peer)))
        .and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    network(forwarded.unwrap_or(peer))
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
        assert_eq!(address(&proxies, peer, &headers).to_string(), expected);
    }

    #[test]
    fn only_a_trusted_proxy_says_who_asks() {
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

    #[test]
    fn one_address_is_stopped_and_another_is_not() {
        let guard = Guard::new(3);
        let now = Timestamp::from_millis(1_000_000);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..3 {
            assert!(!guard.refuses(one, now));
            guard.add(one, now);
        }
        assert!(guard.refuses(one, now));
        assert!(!guard.refuses(other, now));
    }
}
