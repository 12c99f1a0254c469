//! Decisions about client connections: which ones to close when there are too many, and when one
//! has reached a time limit.
//!
//! Times count from an arbitrary moment, the same for all connections.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::data_rate::MinDataRate;

/// How long a connection counts as new if it sends no request; then it counts as idle.
pub const NEW_CONNECTION_GRACE: Duration = Duration::from_secs(1);

/// The network that identifies a client: with IPv6 a client usually has a whole /64.
pub const fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        },
    }
}

/// What a connection is doing, in the order in which connections are evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionPhase {
    Idle,
    /// Requests are in progress.
    Busy,
    /// It was opened a moment ago and has not sent a request yet.
    New,
}

/// What decides whether a connection is evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionCandidate {
    /// The client, as given by [`network`].
    pub network: IpAddr,
    /// A request on it had a valid token.
    pub is_authenticated: bool,
    pub phase: ConnectionPhase,
    /// When it became idle, or was opened if it is not idle.
    pub since: Duration,
}

/// Selects `wanted` connections to close, or fewer if there are not enough; returns indexes.
///
/// Connections without authentication go first: from the network that has most of them, the one
/// that is idle for the longest time, or else the oldest. Those in a later phase than `up_to` are
/// spared. Authenticated connections are closed only while they are idle, and only when no
/// others are left.
pub fn select_evictions(
    connections: &[EvictionCandidate],
    wanted: usize,
    up_to: ConnectionPhase,
) -> Vec<usize> {
    let mut evicted = unauthenticated(connections, wanted, up_to);
    if evicted.len() < connections.iter().filter(|it| !it.is_authenticated).count() {
        return evicted;
    }
    let mut authenticated: Vec<_> = (0..)
        .zip(connections)
        .filter(|(_, it)| it.is_authenticated && it.phase == ConnectionPhase::Idle)
        .map(|(index, it)| (it.since, index))
        .collect();
    authenticated.sort_unstable();
    let missing = wanted - evicted.len();
    evicted.extend(authenticated.into_iter().map(|(_, index)| index).take(missing));
    evicted
}

fn unauthenticated(
    connections: &[EvictionCandidate],
    wanted: usize,
    up_to: ConnectionPhase,
) -> Vec<usize> {
    let mut networks: BTreeMap<IpAddr, BinaryHeap<_>> = BTreeMap::new();
    for (index, it) in connections.iter().enumerate().filter(|(_, it)| !it.is_authenticated) {
        networks.entry(it.network).or_default().push(Reverse((it.phase, it.since, index)));
    }
    let candidate =
        |network: IpAddr, of: &BinaryHeap<Reverse<(ConnectionPhase, Duration, usize)>>| {
            let first = of.peek().copied().filter(|Reverse((phase, ..))| *phase <= up_to)?;
            Some((of.len(), first, network))
        };
    let mut largest: BinaryHeap<_> =
        networks.iter().filter_map(|(&network, of)| candidate(network, of)).collect();
    let mut evicted = Vec::new();
    while evicted.len() < wanted
        && let Some((_, Reverse((_, _, index)), network)) = largest.pop()
    {
        evicted.push(index);
        if let Some(of) = networks.get_mut(&network) {
            of.pop();
            largest.extend(candidate(network, of));
        }
    }
    evicted
}

/// Time limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionTimeouts {
    /// Until the first request, and for closing a connection that is told to end.
    pub opening: Duration,
    /// Between two requests. Frames outside a request, such as pings, do not count.
    pub idle: Duration,
    /// Age at which a connection is told to end; it is closed a quarter of that time later.
    pub age: Duration,
    /// How slowly a client may read responses.
    pub reading: MinDataRate,
}

/// The state of a connection that its time limits depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionState {
    pub opened_at: Duration,
    /// It has sent a request.
    pub has_asked: bool,
    /// When its last request ended; `None` while one is in progress.
    pub idle_since: Option<Duration>,
    /// When it began to receive responses, and how many bytes it has received since.
    pub reading: Option<(Duration, u64)>,
    /// When it was told to end.
    pub ending_since: Option<Duration>,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionAction {
    Keep,
    /// End it after the requests that are in progress.
    Finish,
    /// Close it now, for this reason.
    Close(&'static str),
}

/// Decides what to do with a connection now.
pub fn next_action(
    limits: &ConnectionTimeouts,
    state: &ConnectionState,
    now: Duration,
) -> ConnectionAction {
    let has_passed = |since: Duration, limit: Duration| now.saturating_sub(since) >= limit;
    if let Some((since, bytes)) = state.reading
        && has_passed(since, limits.reading.time_limit(bytes))
    {
        return ConnectionAction::Close("the response is read too slowly (limits.write_timeout)");
    }
    if !state.has_asked {
        return if has_passed(state.opened_at, limits.opening) {
            ConnectionAction::Close("no request was received (limits.header_timeout)")
        } else {
            ConnectionAction::Keep
        };
    }
    let is_idle = state.idle_since.is_some();
    if let Some(since) = state.ending_since {
        let grace = if is_idle { limits.opening } else { limits.age / 4 };
        return if has_passed(since, grace) {
            ConnectionAction::Close("the connection did not end (limits.connection_max_age)")
        } else {
            ConnectionAction::Keep
        };
    }
    let is_unused = state.idle_since.is_some_and(|since| has_passed(since, limits.idle));
    if is_unused || has_passed(state.opened_at, limits.age) {
        ConnectionAction::Finish
    } else {
        ConnectionAction::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A connection of this network: `?` without authentication, `!` with it.
    fn connection(
        network: u8,
        token: char,
        phase: ConnectionPhase,
        since: u64,
    ) -> EvictionCandidate {
        let network = IpAddr::from([192, 0, 2, network]);
        EvictionCandidate { network, is_authenticated: token == '!', phase, since: second(since) }
    }

    #[test]
    fn unauthenticated_connections_of_the_largest_network_are_evicted_first() {
        use ConnectionPhase::{Busy, Idle, New};
        let all = [
            connection(1, '?', Busy, 1),
            connection(2, '?', Busy, 9),
            connection(2, '?', Busy, 5),
            connection(2, '?', Idle, 20),
            connection(3, '?', Idle, 2),
            connection(3, '?', New, 3),
            connection(4, '!', Idle, 8),
            connection(4, '!', Idle, 7),
            connection(4, '!', Idle, 6),
            connection(4, '!', Busy, 0),
        ];
        // The idle one of the largest network first, then the networks in turn. Authenticated
        // ones that are idle come last, even after new ones.
        assert_eq!(select_evictions(&all, 1, Busy), [3]);
        assert_eq!(select_evictions(&all, 20, Busy), [3, 4, 2, 0, 1]);
        assert_eq!(select_evictions(&all, 20, New), [3, 4, 2, 0, 1, 5, 8, 7, 6]);
        assert_eq!(select_evictions(&all[9..], 1, New), [0; 0]);
        assert_eq!(select_evictions(&all[5..6], 1, Busy), [0; 0]);
        assert_eq!(select_evictions(&[], 1, New), [0; 0]);
    }

    #[test]
    fn many_connections_of_one_network_protect_those_of_others() {
        let all: Vec<_> = (0..1_000)
            .map(|number| {
                connection(if number < 990 { 1 } else { 2 }, '?', ConnectionPhase::Busy, number)
            })
            .collect();
        assert!(select_evictions(&all, 900, ConnectionPhase::New).iter().all(|&index| index < 990));
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn time_limits_end_connections() {
        let reading = MinDataRate { grace_period: second(30), bytes_per_second: 1_000 };
        let limits = ConnectionTimeouts {
            opening: second(10),
            idle: second(60),
            age: second(1_000),
            reading,
        };
        let kind =
            |state: ConnectionState, now: u64| match next_action(&limits, &state, second(now)) {
                ConnectionAction::Keep => "keep",
                ConnectionAction::Finish => "finish",
                ConnectionAction::Close(_) => "close",
            };
        let new = ConnectionState::default();
        let busy = ConnectionState { has_asked: true, ..new };
        let idle = ConnectionState { idle_since: Some(second(100)), ..busy };
        for (state, now, expected) in [
            (new, 9, "keep"),
            (new, 10, "close"),
            (busy, 999, "keep"),
            (busy, 1_000, "finish"),
            (idle, 159, "keep"),
            (idle, 160, "finish"),
            (ConnectionState { ending_since: Some(second(160)), ..idle }, 169, "keep"),
            (ConnectionState { ending_since: Some(second(160)), ..idle }, 170, "close"),
            (ConnectionState { ending_since: Some(second(1_000)), ..busy }, 1_249, "keep"),
            (ConnectionState { ending_since: Some(second(1_000)), ..busy }, 1_250, "close"),
            (ConnectionState { reading: Some((second(5), 0)), ..busy }, 34, "keep"),
            (ConnectionState { reading: Some((second(5), 0)), ..busy }, 35, "close"),
            (ConnectionState { reading: Some((second(5), 5_000)), ..busy }, 39, "keep"),
            (ConnectionState { reading: Some((second(5), 5_000)), ..busy }, 40, "close"),
        ] {
            assert_eq!(kind(state, now), expected, "{state:?} at {now}");
        }
    }
}
