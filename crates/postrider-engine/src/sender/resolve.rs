//! Finds the addresses of hosts.
//!
//! Name servers are asked over sockets of our own, so a lookup ends with the attempt that
//! needs it. Answers are kept for as long as they are valid; a name is looked up once
//! however many calls wait for it; and how many names of one application are looked up at a
//! time is limited, so that names that never resolve do not delay those of others.

mod admission;
mod query;
mod system;
mod under_way;

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use postrider::ApplicationId;
use postrider_core::{
    names::{self, Ttls, Unresolved},
    outcome::Failure,
};
use quick_cache::sync::Cache;
use tokio::time::Instant;
use url::{Host, Url};

use self::{
    admission::Admission,
    system::{Names, System},
    under_way::UnderWay,
};
use super::http::Failed;

/// How host names are resolved.
#[derive(Clone, Debug)]
pub struct Dns {
    /// Name servers; those of `resolv_conf` when there are none.
    pub servers: Vec<SocketAddr>,
    /// Time limit of one lookup, with all its repetitions.
    pub timeout: Duration,
    /// Longest wait for the lookup to begin, while too many others are under way.
    pub wait: Duration,
    pub ttls: Ttls,
    /// Names whose addresses are remembered.
    pub cache: usize,
    /// Lookups under way at the same time.
    pub lookups: usize,
    /// The system's configuration of its resolver, read again when it changes.
    pub resolv_conf: PathBuf,
    pub hosts: PathBuf,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            wait: Duration::from_millis(7_500),
            ttls: Ttls {
                min: Duration::from_secs(1),
                max: Duration::from_secs(3_600),
                negative_max: Duration::from_secs(30),
            },
            cache: 10_000,
            lookups: 128,
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            hosts: PathBuf::from("/etc/hosts"),
        }
    }
}

/// On whose behalf a name is looked up; each has a share of the lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Group {
    Application(ApplicationId),
    /// Keys that received webhooks are verified with.
    Keys,
    Proxy,
}

/// The addresses of a name, as shared by all that wait for them.
type Answer = Result<Arc<[IpAddr]>, Unresolved>;

/// An answer that is remembered.
#[derive(Clone, Debug)]
struct Known {
    answer: Answer,
    until: Instant,
    /// Of the configuration that it was found with.
    generation: u64,
}

/// Finds the addresses of hosts.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dns: Dns,
    system: System,
    known: Cache<Arc<str>, Known>,
    admission: Arc<Admission>,
    under_way: Arc<UnderWay>,
}

impl Resolver {
    pub(super) fn new(dns: Dns) -> Self {
        let shared = Shared {
            system: System::new(&dns),
            known: Cache::new(dns.cache),
            admission: Admission::new(dns.lookups),
            under_way: Arc::default(),
            dns,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Addresses of the URL's host, in the order in which they are to be tried; at least one.
    /// Whether they may be called is for the caller to check, on every call.
    pub(super) async fn resolve(&self, url: &Url, group: Group) -> Result<Vec<SocketAddr>, Failed> {
        let port = url.port_or_known_default().unwrap_or(443);
        match url.host() {
            Some(Host::Ipv4(address)) => Ok(vec![SocketAddr::new(IpAddr::V4(address), port)]),
            Some(Host::Ipv6(address)) => Ok(vec![SocketAddr::new(IpAddr::V6(address), port)]),
            Some(Host::Domain(name)) => self.addresses(name, port, group).await,
            None => Err(Failed::new(Failure::Resolve, "the URL names no host")),
        }
    }

    /// Addresses of a host that the operator chose, which are not checked.
    pub(super) async fn addresses(
        &self,
        name: &str,
        port: u16,
        group: Group,
    ) -> Result<Vec<SocketAddr>, Failed> {
        // Large, and rare next to calls on connections that are open already.
        let found = Box::pin(self.shared.lookup(&name.to_ascii_lowercase(), group)).await;
        let found = found.map_err(|reason| {
            Failed::new(Failure::Resolve, format!("host name {name} {reason}"))
        })?;
        let ordered = names::ordered(&found, has_ipv6_route(&found));
        Ok(ordered.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl Shared {
    async fn lookup(self: &Arc<Self>, host: &str, group: Group) -> Answer {
        let names = self.system.names();
        if let Some(found) = names.in_hosts_file(host) {
            return Ok(found);
        }
        let limit = self.dns.wait;
        loop {
            if let Some(answer) = self.remembered(host, names.generation) {
                return answer;
            }
            if let Some(lookup) = self.under_way.get(host) {
                return lookup.await;
            }
            let entering = self.admission.enter(group, host);
            let entered = tokio::time::timeout(limit, entering).await;
            // Without a slot, another call began to look this name up.
            if let Some(slot) = entered.map_err(|_| Unresolved::Crowded(limit))? {
                let lookup = self.under_way.begin(host, self.clone().find(host, names), slot);
                self.admission.announce(host);
                return lookup.await;
            }
        }
    }

    fn remembered(&self, host: &str, generation: u64) -> Option<Answer> {
        let known = self.known.get(host)?;
        let is_valid = known.generation == generation && Instant::now() < known.until;
        is_valid.then_some(known.answer)
    }

    /// Asks the name servers, and remembers what they said.
    fn find(
        self: Arc<Self>,
        host: &str,
        names: Arc<Names>,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let host: Arc<str> = Arc::from(host);
        async move {
            let limit = self.dns.timeout;
            let asking = query::ask(&names.resolver, names.candidates(&host), limit);
            let found = asking.await;
            let ttl = match &found.answer {
                Ok(_) => self.dns.ttls.positive(found.ttl.unwrap_or_default()),
                Err(reason) if reason.is_answer() => self.dns.ttls.negative(found.ttl),
                Err(_) => names::FAILURE_TTL,
            };
            let answer = found.answer.map(Arc::from);
            let until = Instant::now() + ttl;
            let generation = names.generation;
            self.known.insert(host, Known { answer: answer.clone(), until, generation });
            answer
        }
    }
}

/// Whether this machine can send to the first of the IPv6 addresses, as far as its routes
/// tell. Connecting a datagram socket sends nothing.
fn has_ipv6_route(addresses: &[IpAddr]) -> bool {
    let sixth = addresses.iter().find(|it| it.is_ipv6());
    sixth.is_some_and(|address| {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
            .is_ok_and(|it| it.connect((*address, 9)).is_ok())
    })
}
