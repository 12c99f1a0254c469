//! Decisions about host names: which names to look up, how long an answer is cached, which address
//! is tried first, and whether another lookup may begin.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// The names to look up, in order, each with its final dot.
///
/// They are the same as for the C library: a name with at least `ndots` dots is looked up as it
/// is and then within each domain of the search list, any other name in the reverse order. A name
/// with a final dot is complete.
pub fn candidates(host: &str, search: &[String], ndots: usize) -> Vec<String> {
    let host = host.to_ascii_lowercase();
    if host.ends_with('.') {
        return vec![host];
    }
    let complete = format!("{host}.");
    // The local host is never looked up in the search list (RFC 6761).
    if host == "localhost" || host.ends_with(".localhost") {
        return vec![complete];
    }
    let within = search.iter().map(|domain| {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        if domain.is_empty() { complete.clone() } else { format!("{host}.{domain}.") }
    });
    let is_complete_first = host.matches('.').count() >= ndots;
    let (first, last) =
        if is_complete_first { (Some(&complete), None) } else { (None, Some(&complete)) };
    let all = first.cloned().into_iter().chain(within).chain(last.cloned());
    let mut seen = BTreeSet::new();
    all.filter(|it| seen.insert(it.clone())).collect()
}

/// The part of a host name that is likely served by the same name servers: its last two labels.
/// Under suffixes such as `co.uk`, unrelated names only share a limit.
pub fn zone(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    let start = host.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1);
    host.get(start..).unwrap_or(host)
}

/// Addresses in the order in which connections are tried: as the name server returned them, but
/// alternating between the families, so that a family without connectivity costs only one wait.
/// IPv6 goes first if this machine has a route for it (RFC 6724, RFC 8305).
pub fn ordered(addresses: &[IpAddr], has_ipv6_route: bool) -> Vec<IpAddr> {
    let of = |is_ipv6: bool| addresses.iter().copied().filter(move |it| it.is_ipv6() == is_ipv6);
    if !has_ipv6_route {
        return of(false).chain(of(true)).collect();
    }
    let (mut sixes, mut fours) = (of(true), of(false));
    let mut ordered = Vec::with_capacity(addresses.len());
    loop {
        let (six, four) = (sixes.next(), fours.next());
        if six.is_none() && four.is_none() {
            return ordered;
        }
        ordered.extend(six.into_iter().chain(four));
    }
}

/// Why a host name has no addresses; completes "host name example.com …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("does not exist")]
    NoName,
    #[error("has no address")]
    NoAddress,
    #[error("is not a name that can be looked up")]
    Malformed,
    #[error("could not be resolved: the name server reported {0}")]
    Refused(String),
    #[error("could not be resolved: no answer from the name server within {} ms", .0.as_millis())]
    NoAnswer(Duration),
    #[error("could not be resolved: {0}")]
    Unreachable(String),
    #[error(
        "was not looked up within {} ms, because too many other lookups wait for an answer",
        .0.as_millis()
    )]
    Crowded(Duration),
}

impl Unresolved {
    /// Of the reasons why several names were not resolved, the one to report. A failure of a name
    /// server outweighs a missing name, because the name may exist.
    pub fn weightier(self, other: Self) -> Self {
        let weight = |it: &Self| match it {
            Self::Malformed => 0,
            Self::NoName => 1,
            Self::NoAddress => 2,
            Self::Refused(_) | Self::NoAnswer(_) | Self::Unreachable(_) | Self::Crowded(_) => 3,
        };
        if weight(&other) > weight(&self) { other } else { self }
    }

    /// Whether this is the answer of a name server, which may be cached as long as it says.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::NoName | Self::NoAddress | Self::Malformed)
    }
}

/// Bounds on how long an answer is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttls {
    pub min: Duration,
    pub max: Duration,
    /// Longest time that the absence of a name is cached.
    pub negative_max: Duration,
}

/// How long a failed lookup is cached (RFC 9520): long enough that deliveries that wait for the
/// same name share the failure, and shorter than the first wait before a retry.
pub const FAILURE_TTL: Duration = Duration::from_secs(2);

impl Ttls {
    /// How long addresses with this TTL are cached.
    pub fn positive(&self, ttl: Duration) -> Duration {
        ttl.min(self.max).max(self.min)
    }

    /// How long the absence of a name or of its addresses is cached. Without a TTL from the name
    /// server (RFC 2308), it is cached like a failure.
    pub fn negative(&self, ttl: Option<Duration>) -> Duration {
        ttl.unwrap_or(FAILURE_TTL).min(self.negative_max).max(self.min)
    }
}

/// Lookups in flight: in total, of the group that wants another one, and of that group in the zone
/// of the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub total: usize,
    pub group: usize,
    pub zone: usize,
}

/// Whether another lookup may begin.
///
/// A group may use at most half of what the other groups leave free, and a zone at most half of
/// what the other zones of its group leave, but each at least one. So many names that never
/// resolve can slow others down, but never block them.
pub fn may_begin(capacity: usize, load: Load) -> bool {
    let group = share(capacity, load.total - load.group);
    let zone = share(group, load.group - load.zone);
    load.group < group && load.zone < zone
}

fn share(capacity: usize, taken_by_others: usize) -> usize {
    (capacity.saturating_sub(taken_by_others) / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_the_c_library_does() {
        let check = |host: &str, search: &[&str], ndots, expected: &[&str]| {
            let search: Vec<_> = search.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(candidates(host, &search, ndots), expected, "{host} {search:?} {ndots}");
        };
        check("example.com", &[], 1, &["example.com."]);
        check("example.com.", &["corp.test"], 1, &["example.com."]);
        check("Example.COM", &["Corp.test."], 1, &["example.com.", "example.com.corp.test."]);
        check("db", &["corp.test", "test"], 1, &["db.corp.test.", "db.test.", "db."]);
        check("db", &[], 1, &["db."]);
        check("a.b", &["svc.cluster.local"], 5, &["a.b.svc.cluster.local.", "a.b."]);
        check("db", &[".", "corp.test", "corp.test"], 1, &["db.", "db.corp.test."]);
        check("localhost", &["corp.test"], 1, &["localhost."]);
        check("app.LocalHost", &["corp.test"], 5, &["app.localhost."]);
        check("db", &["corp.test"], 0, &["db.", "db.corp.test."]);
    }

    #[test]
    fn a_zone_consists_of_the_last_two_labels() {
        for (host, expected) in [
            ("a1.dead.test", "dead.test"),
            ("dead.test.", "dead.test"),
            ("x.y.z.example.com", "example.com"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(zone(host), expected, "{host}");
        }
    }

    #[test]
    fn families_alternate_and_addresses_without_a_route_come_last() {
        let check = |addresses: &[&str], has_route, expected: &[&str]| {
            let parsed =
                |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect::<Vec<IpAddr>>();
            assert_eq!(ordered(&parsed(addresses), has_route), parsed(expected));
        };
        check(&["1.1.1.1", "2.2.2.2", "::a", "::b"], true, &["::a", "1.1.1.1", "::b", "2.2.2.2"]);
        check(&["::a", "::b", "1.1.1.1"], false, &["1.1.1.1", "::a", "::b"]);
        check(&["1.1.1.1", "2.2.2.2"], true, &["1.1.1.1", "2.2.2.2"]);
        check(&["::a"], false, &["::a"]);
        check(&[], true, &[]);
    }

    #[test]
    fn answers_are_kept_within_bounds() {
        let seconds = Duration::from_secs;
        let ttls = Ttls { min: seconds(1), max: seconds(3600), negative_max: seconds(30) };
        for (ttl, expected) in [(0, 1), (1, 1), (60, 60), (86_400, 3600)] {
            assert_eq!(ttls.positive(seconds(ttl)), seconds(expected), "{ttl}");
        }
        for (ttl, expected) in [(Some(0), 1), (Some(5), 5), (Some(900), 30), (None, 2)] {
            assert_eq!(ttls.negative(ttl.map(seconds)), seconds(expected), "{ttl:?}");
        }
    }

    #[test]
    fn temporary_failures_outweigh_permanent_ones() {
        let (no_name, no_address) = (Unresolved::NoName, Unresolved::NoAddress);
        let silent = Unresolved::NoAnswer(Duration::from_secs(5));
        for (first, second, expected) in [
            (&Unresolved::Malformed, &no_name, &no_name),
            (&no_name, &no_address, &no_address),
            (&no_address, &no_name, &no_address),
            (&no_name, &silent, &silent),
            (&silent, &no_address, &silent),
        ] {
            assert_eq!(&first.clone().weightier(second.clone()), expected);
        }
        assert!(no_name.is_answer() && no_address.is_answer() && !silent.is_answer());
        assert!(silent.to_string().ends_with("no answer from the name server within 5000 ms"));
    }

    /// How many lookups begin if groups ask for as many as they may, one after the other.
    fn begun(capacity: usize, groups: &[&[&str]]) -> Vec<Vec<usize>> {
        let (mut total, mut all) = (0, Vec::new());
        for zones in groups {
            let mut counts = vec![0; zones.len()];
            for index in 0..zones.len() {
                let load = |counts: &[usize]| Load {
                    total,
                    group: counts.iter().sum(),
                    zone: counts[index],
                };
                while may_begin(
                    capacity,
                    Load { total: total + load(&counts).group, ..load(&counts) },
                ) {
                    counts[index] += 1;
                }
            }
            total += counts.iter().sum::<usize>();
            all.push(counts);
        }
        all
    }

    #[test]
    fn many_lookups_get_half_of_what_is_free_and_leave_one_for_each_group() {
        assert_eq!(begun(128, &[&["dead.test"]]), [[32]]);
        assert_eq!(begun(128, &[&["dead.test", "live.test"]]), [[32, 16]]);
        assert_eq!(begun(128, &[&["a"], &["b"], &["c"]]), [[32], [24], [18]]);
        assert_eq!(begun(1, &[&["a"], &["b"]]), [[1], [1]], "one each, whatever the limit");
        let crowds: Vec<&[&str]> = vec![&["dead.test"]; 1_000];
        assert!(begun(128, &crowds).iter().all(|it| it[0] >= 1));
    }
}
