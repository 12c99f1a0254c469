//! Decisions about the connections of clients: which one yields its place when there are too
//! many, and when one has to end.
//!
//! Times count from an arbitrary moment, the same for all connections.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::transfer::Slowest;

/// How long a new connection may take to send its first request before it counts as idle.
pub const FRESH: Duration = Duration::from_secs(1);

/// The client that an address belongs to: one with IPv6 usually has a whole /64 network.
pub const fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        },
    }
}

/// What a connection is doing; the first ones yield first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Idle,
    /// Requests are in progress.
    Busy,
    /// It has not had the time to send a request.
    Fresh,
}

/// A connection as the others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// As [`network`] tells it.
    pub network: IpAddr,
    /// A request on it had a valid token.
    pub is_authenticated: bool,
    pub work: Work,
    /// Since when it is idle, or else when it was opened.
    pub since: Duration,
}

/// Which connections yield their places, as indexes: as many as are wanted, if there are.
///
/// Those without authentication go first: of the network that has most of them, the one that is
/// idle for the longest time, or else the oldest; but none whose work is behind `up_to`. Those
/// with it yield only while they are idle, and only when no others are left.
pub fn yielding(connections: &[Seen], wanted: usize, up_to: Work) -> Vec<usize> {
    let mut yielding = strangers(connections, wanted, up_to);
    if yielding.len() < connections.iter().filter(|it| !it.is_authenticated).count() {
        return yielding;
    }
    let mut known: Vec<_> = (0..)
        .zip(connections)
        .filter(|(_, it)| it.is_authenticated && it.work == Work::Idle)
        .map(|(index, it)| (it.since, index))
        .collect();
    known.sort_unstable();
    let missing = wanted - yielding.len();
    yielding.extend(known.into_iter().map(|(_, index)| index).take(missing));
    yielding
}

fn strangers(connections: &[Seen], wanted: usize, up_to: Work) -> Vec<usize> {
    let mut networks: BTreeMap<IpAddr, BinaryHeap<_>> = BTreeMap::new();
    for (index, it) in connections.iter().enumerate().filter(|(_, it)| !it.is_authenticated) {
        networks.entry(it.network).or_default().push(Reverse((it.work, it.since, index)));
    }
    let place = |network: IpAddr, of: &BinaryHeap<Reverse<(Work, Duration, usize)>>| {
        let first = of.peek().copied().filter(|Reverse((work, ..))| *work <= up_to)?;
        Some((of.len(), first, network))
    };
    let mut largest: BinaryHeap<_> =
        networks.iter().filter_map(|(&network, of)| place(network, of)).collect();
    let mut yielding = Vec::new();
    while yielding.len() < wanted
        && let Some((_, Reverse((_, _, index)), network)) = largest.pop()
    {
        yielding.push(index);
        if let Some(of) = networks.get_mut(&network) {
            of.pop();
            largest.extend(place(network, of));
        }
    }
    yielding
}

/// How long connections live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// From opening until the first request, and the last grace of one that is to end.
    pub opening: Duration,
    /// Between two requests. What does not belong to a request, such as a ping, does not count.
    pub idle: Duration,
    /// From opening until the connection is to end; a quarter more until it is cut off.
    pub age: Duration,
    /// How slowly responses may be read.
    pub reading: Slowest,
}

/// What is known of a connection's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    pub opened_at: Duration,
    /// It has sent a request.
    pub has_asked: bool,
    /// When its last request ended; `None` while one is in progress.
    pub idle_since: Option<Duration>,
    /// Since when it has had responses to read, and how many bytes it has read since.
    pub reading: Option<(Duration, u64)>,
    /// When it was told to end.
    pub ending_since: Option<Duration>,
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Keep,
    /// It ends after the requests that are in progress.
    Finish,
    /// It is closed where it stands.
    Cut(&'static str),
}

/// What is to become of a connection now.
pub fn fate(limits: &Lifetimes, life: &Life, now: Duration) -> Fate {
    let has_passed = |since: Duration, limit: Duration| now.saturating_sub(since) >= limit;
    if let Some((since, bytes)) = life.reading
        && has_passed(since, limits.reading.time(bytes))
    {
        return Fate::Cut("the response is read too slowly (limits.write_timeout)");
    }
    if !life.has_asked {
        return if has_passed(life.opened_at, limits.opening) {
            Fate::Cut("no request was received (limits.header_timeout)")
        } else {
            Fate::Keep
        };
    }
    let is_idle = life.idle_since.is_some();
    if let Some(since) = life.ending_since {
        let grace = if is_idle { limits.opening } else { limits.age / 4 };
        return if has_passed(since, grace) {
            Fate::Cut("the connection did not end (limits.connection_max_age)")
        } else {
            Fate::Keep
        };
    }
    let is_unused = life.idle_since.is_some_and(|since| has_passed(since, limits.idle));
    if is_unused || has_passed(life.opened_at, limits.age) { Fate::Finish } else { Fate::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A connection of this network: `?` without authentication, `!` with it.
    fn seen(network: u8, mark: char, work: Work, since: u64) -> Seen {
        let network = IpAddr::from([192, 0, 2, network]);
        Seen { network, is_authenticated: mark == '!', work, since: second(since) }
    }

    #[test]
    fn strangers_of_the_largest_network_yield_first() {
        use Work::{Busy, Fresh, Idle};
        let crowd = [
            seen(1, '?', Busy, 1),
            seen(2, '?', Busy, 9),
            seen(2, '?', Busy, 5),
            seen(2, '?', Idle, 20),
            seen(3, '?', Idle, 2),
            seen(3, '?', Fresh, 3),
            seen(4, '!', Idle, 8),
            seen(4, '!', Idle, 7),
            seen(4, '!', Idle, 6),
            seen(4, '!', Busy, 0),
        ];
        // The idle one of the largest network, then the networks in turn; those with
        // authentication that are idle come last, even behind those that are new.
        assert_eq!(yielding(&crowd, 1, Busy), [3]);
        assert_eq!(yielding(&crowd, 20, Busy), [3, 4, 2, 0, 1]);
        assert_eq!(yielding(&crowd, 20, Fresh), [3, 4, 2, 0, 1, 5, 8, 7, 6]);
        assert_eq!(yielding(&crowd[9..], 1, Fresh), [0; 0]);
        assert_eq!(yielding(&crowd[5..6], 1, Busy), [0; 0]);
        assert_eq!(yielding(&[], 1, Fresh), [0; 0]);
    }

    #[test]
    fn many_connections_of_one_network_protect_those_of_others() {
        let crowd: Vec<_> = (0..1_000)
            .map(|number| seen(if number < 990 { 1 } else { 2 }, '?', Work::Busy, number))
            .collect();
        assert!(yielding(&crowd, 900, Work::Fresh).iter().all(|&index| index < 990));
    }

    #[test]
    fn a_client_has_one_address_or_a_network() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn when_a_connection_ends() {
        let reading = Slowest { allowance: second(30), rate: 1_000 };
        let limits =
            Lifetimes { opening: second(10), idle: second(60), age: second(1_000), reading };
        let kind = |life: Life, now: u64| match fate(&limits, &life, second(now)) {
            Fate::Keep => "keep",
            Fate::Finish => "finish",
            Fate::Cut(_) => "cut",
        };
        let new = Life::default();
        let busy = Life { has_asked: true, ..new };
        let idle = Life { idle_since: Some(second(100)), ..busy };
        for (life, now, expected) in [
            (new, 9, "keep"),
            (new, 10, "cut"),
            (busy, 999, "keep"),
            (busy, 1_000, "finish"),
            (idle, 159, "keep"),
            (idle, 160, "finish"),
            (Life { ending_since: Some(second(160)), ..idle }, 169, "keep"),
            (Life { ending_since: Some(second(160)), ..idle }, 170, "cut"),
            (Life { ending_since: Some(second(1_000)), ..busy }, 1_249, "keep"),
            (Life { ending_since: Some(second(1_000)), ..busy }, 1_250, "cut"),
            (Life { reading: Some((second(5), 0)), ..busy }, 34, "keep"),
            (Life { reading: Some((second(5), 0)), ..busy }, 35, "cut"),
            (Life { reading: Some((second(5), 5_000)), ..busy }, 39, "keep"),
            (Life { reading: Some((second(5), 5_000)), ..busy }, 40, "cut"),
        ] {
            assert_eq!(kind(life, now), expected, "{life:?} at {now}");
        }
    }
}
