//! Resolves host names.
//!
//! Name servers are queried by this process, not through the C library, so a lookup ends with the
//! attempt that needs it. Answers are cached as long as they are valid, and calls that wait for the
//! same name share one lookup. The lookups of one application are limited, so that names that never
//! resolve do not delay those of other applications.

mod admission;
mod answer;
mod lookups;
mod query;
mod system;

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use postrider_core::{
    names::{self, Unresolved},
    outcome::Failure,
};
use quick_cache::sync::Cache;
use tokio::time::Instant;
use url::{Host, Url};

use self::{
    admission::Admission,
    answer::LookupResult,
    lookups::Lookups,
    system::{ResolverSnapshot, SystemConfig},
};
use super::{dns::Dns, error::CallError, origin::LookupGroup};

/// An answer in the cache.
#[derive(Clone, Debug)]
struct CachedAnswer {
    answer: LookupResult,
    until: Instant,
    /// The generation of the resolver configuration that it was found with.
    generation: u64,
}

/// Resolves host names.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dns: Dns,
    system: SystemConfig,
    known: Cache<Arc<str>, CachedAnswer>,
    admission: Arc<Admission>,
    lookups: Arc<Lookups>,
}

impl Resolver {
    pub(super) fn new(dns: Dns) -> Self {
        let shared = Shared {
            system: SystemConfig::new(&dns),
            known: Cache::new(dns.cache),
            admission: Admission::new(dns.lookups),
            lookups: Arc::default(),
            dns,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The addresses of the URL's host, at least one, in the order in which to try them. The
    /// caller has to check on every call whether they may be called.
    pub(super) async fn resolve(
        &self,
        url: &Url,
        group: LookupGroup,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let port = url.port_or_known_default().unwrap_or(443);
        match url.host() {
            Some(Host::Ipv4(address)) => Ok(vec![SocketAddr::new(IpAddr::V4(address), port)]),
            Some(Host::Ipv6(address)) => Ok(vec![SocketAddr::new(IpAddr::V6(address), port)]),
            Some(Host::Domain(name)) => self.addresses(name, port, group).await,
            None => Err(CallError::new(Failure::Resolve, "the URL names no host")),
        }
    }

    /// The addresses of a host. Those that the operator configured need no check.
    pub(super) async fn addresses(
        &self,
        name: &str,
        port: u16,
        group: LookupGroup,
    ) -> Result<Vec<SocketAddr>, CallError> {
        // The future is large, and lookups are rare compared to calls on open connections.
        let found = Box::pin(self.shared.lookup(&name.to_ascii_lowercase(), group)).await;
        let found = found.map_err(|reason| {
            CallError::new(Failure::Resolve, format!("host name {name} {reason}"))
        })?;
        let ordered = names::ordered(&found, has_ipv6_route(&found));
        Ok(ordered.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl Shared {
    async fn lookup(self: &Arc<Self>, host: &str, group: LookupGroup) -> LookupResult {
        let names = self.system.names();
        if let Some(found) = names.in_hosts_file(host) {
            return Ok(found);
        }
        let limit = self.dns.wait;
        loop {
            if let Some(answer) = self.remembered(host, names.generation) {
                return answer;
            }
            if let Some(lookup) = self.lookups.get(host) {
                return lookup.await;
            }
            let entering = self.admission.enter(group, host);
            let entered = tokio::time::timeout(limit, entering).await;
            // Without a slot, another call has started a lookup of this name.
            if let Some(slot) = entered.map_err(|_| Unresolved::Crowded(limit))? {
                let lookup = self.lookups.begin(host, self.clone().find(host, names), slot);
                self.admission.announce(host);
                return lookup.await;
            }
        }
    }

    fn remembered(&self, host: &str, generation: u64) -> Option<LookupResult> {
        let known = self.known.get(host)?;
        let is_valid = known.generation == generation && Instant::now() < known.until;
        is_valid.then_some(known.answer)
    }

    /// Queries the name servers, and caches the answer.
    fn find(
        self: Arc<Self>,
        host: &str,
        names: Arc<ResolverSnapshot>,
    ) -> impl Future<Output = LookupResult> + Send + use<> {
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
            self.known.insert(host, CachedAnswer { answer: answer.clone(), until, generation });
            answer
        }
    }
}

/// Whether this machine has a route to the first of the IPv6 addresses. Connecting a datagram
/// socket sends nothing.
fn has_ipv6_route(addresses: &[IpAddr]) -> bool {
    let sixth = addresses.iter().find(|it| it.is_ipv6());
    sixth.is_some_and(|address| {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
            .is_ok_and(|it| it.connect((*address, 9)).is_ok())
    })
}
