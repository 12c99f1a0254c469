//! The system's resolver configuration: name servers, search list, hosts file.
//!
//! The files are checked from time to time and read again when they have changed, so that a change
//! of the network needs no restart.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use hickory_resolver::{
    Hosts, Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
};
use postrider_core::names;
use resolv_conf::Config;
use tokio::time::Instant;

use crate::sender::dns::Dns;

/// Shortest time between two checks of the files.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Port of name servers.
const PORT: u16 = 53;

/// Concurrent queries on one TCP connection to a name server.
const QUERIES_PER_CONNECTION: usize = 256;

#[derive(Debug)]
pub(super) struct SystemConfig {
    dns: Dns,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    names: Arc<ResolverSnapshot>,
    stamps: [Option<Stamp>; 2],
    checked_at: Instant,
}

/// Changes when a file changes.
type Stamp = (SystemTime, u64);

/// The configuration as it was read.
pub(super) struct ResolverSnapshot {
    pub resolver: TokioResolver,
    /// Increases with each change.
    pub generation: u64,
    hosts: Hosts,
    search: Vec<String>,
    ndots: usize,
}

impl std::fmt::Debug for ResolverSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolverSnapshot")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl SystemConfig {
    pub(super) fn new(dns: &Dns) -> Self {
        let stamps = stamps(dns);
        let names = Arc::new(ResolverSnapshot::read(dns, 0));
        let state = State { names, stamps, checked_at: Instant::now() };
        Self { dns: dns.clone(), state: Mutex::new(state) }
    }

    /// The current configuration.
    pub(super) fn names(&self) -> Arc<ResolverSnapshot> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked_at.elapsed() >= CHECK_INTERVAL {
            state.checked_at = Instant::now();
            let stamps = stamps(&self.dns);
            if stamps != state.stamps {
                state.stamps = stamps;
                state.names =
                    Arc::new(ResolverSnapshot::read(&self.dns, state.names.generation + 1));
                tracing::info!("resolver configuration has changed and was read again");
            }
        }
        Arc::clone(&state.names)
    }
}

fn stamps(dns: &Dns) -> [Option<Stamp>; 2] {
    let stamp = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [stamp(&dns.resolv_conf), stamp(&dns.hosts)]
}

impl ResolverSnapshot {
    fn read(dns: &Dns, generation: u64) -> Self {
        let system = resolv_conf(dns);
        // Some systems write `--` for an empty list.
        let search = system.get_last_search_or_domain().filter(|it| *it != "--");
        let search = search.cloned().collect();
        Self {
            resolver: resolver(dns, &system),
            generation,
            hosts: hosts(&dns.hosts),
            search,
            ndots: system.ndots as usize,
        }
    }

    /// The names to look up for the addresses of a host.
    pub(super) fn candidates(&self, host: &str) -> Vec<String> {
        names::candidates(host, &self.search, self.ndots)
    }

    /// Addresses from the hosts file, which takes precedence.
    pub(super) fn in_hosts_file(&self, host: &str) -> Option<Arc<[IpAddr]>> {
        let name = Name::from_str(host).ok()?;
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found = [RecordType::AAAA, RecordType::A].into_iter().filter_map(of);
        let records = found.flat_map(|lookup| lookup.answers().to_vec());
        let addresses: Arc<[IpAddr]> = records.filter_map(|it| it.data.ip_addr()).collect();
        (!addresses.is_empty()).then_some(addresses)
    }
}

/// Without the file, or without a name server in it, the one on the local host is used, as by the C
/// library.
fn resolv_conf(dns: &Dns) -> Config {
    let path = dns.resolv_conf.display();
    let text = fs::read(&dns.resolv_conf).unwrap_or_else(|error| {
        if dns.servers.is_empty() {
            tracing::warn!(%error, "{path} cannot be read; using the name server on the local host");
        }
        Vec::new()
    });
    let (system, errors) = Config::parse_with_errors(&text);
    for error in errors {
        tracing::warn!(%error, "ignoring a line of {path}");
    }
    system
}

fn hosts(path: &Path) -> Hosts {
    let mut hosts = Hosts::default();
    let read = fs::File::open(path).and_then(|file| hosts.read_hosts_conf(file));
    if let Err(error) = read
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "{} cannot be read and is ignored", path.display());
    }
    hosts
}

fn resolver(dns: &Dns, system: &Config) -> TokioResolver {
    let mut servers = dns.servers.clone();
    if servers.is_empty() {
        let local = system.get_nameservers_or_local();
        servers = local.into_iter().map(|ip| SocketAddr::new(ip.into(), PORT)).collect();
    }
    let servers = servers.into_iter().map(server).collect();
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let resolver = builder.with_options(options(dns, system)).build();
    resolver.expect("building a resolver without TLS cannot fail")
}

fn server(address: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(with_port).into();
    NameServerConfig::new(address.ip(), true, connections)
}

fn options(dns: &Dns, system: &Config) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    // A second try, with another name server if there is one, must fit into the time limit.
    options.timeout = Duration::from_secs(system.timeout.into()).min(dns.timeout / 2);
    options.attempts = (system.attempts as usize).saturating_sub(1).max(1);
    options.edns0 = system.edns0;
    options.max_active_requests = QUERIES_PER_CONNECTION;
    // Answers and the hosts file are cached by this module.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(resolv_conf: &str, hosts: &str) -> (tempfile::TempDir, Dns) {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let dns = Dns {
            resolv_conf: of("resolv.conf", resolv_conf),
            hosts: of("hosts", hosts),
            ..Dns::default()
        };
        (folder, dns)
    }

    #[test]
    fn the_search_list_and_ndots_are_read_from_the_file() {
        let check = |text: &str, host: &str, expected: &[&str]| {
            let (_folder, dns) = written(text, "");
            assert_eq!(ResolverSnapshot::read(&dns, 0).candidates(host), expected, "{text:?}");
        };
        check(
            "nameserver 192.0.2.1\nsearch a.test b.test\n",
            "db",
            &["db.a.test.", "db.b.test.", "db."],
        );
        check("domain a.test\n", "db", &["db.a.test.", "db."]);
        check("search a.test\noptions ndots:3\n", "x.y", &["x.y.a.test.", "x.y."]);
        check("", "db", &["db."]);
        check("nonsense here\nsearch a.test\n", "db", &["db.a.test.", "db."]);
    }

    #[test]
    fn the_hosts_file_is_read_whatever_the_case_of_names() {
        let text =
            "127.0.0.1 localhost\n::1 localhost ip6-localhost\n192.0.2.7 Db.Internal db # x\n";
        let (_folder, dns) = written("", text);
        let names = ResolverSnapshot::read(&dns, 0);
        let check = |host: &str, expected: &[&str]| {
            let found = names.in_hosts_file(host).unwrap_or_default();
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{host}");
        };
        check("localhost", &["::1", "127.0.0.1"]);
        check("db.internal", &["192.0.2.7"]);
        check("DB", &["192.0.2.7"]);
        check("db.internal.", &["192.0.2.7"]);
        check("other", &[]);
    }

    #[tokio::test(start_paused = true)]
    async fn changed_files_are_read_again() {
        let (_folder, dns) = written("search a.test\n", "");
        let system = SystemConfig::new(&dns);
        assert_eq!(system.names().candidates("db"), ["db.a.test.", "db."]);
        fs::write(&dns.resolv_conf, "search other.test\n").unwrap();
        fs::write(&dns.hosts, "192.0.2.7 db\n").unwrap();
        assert_eq!(system.names().generation, 0, "it was looked at a moment ago");
        tokio::time::advance(CHECK_INTERVAL).await;
        let names = system.names();
        assert_eq!(names.generation, 1);
        assert_eq!(names.candidates("db"), ["db.other.test.", "db."]);
        assert!(names.in_hosts_file("db").is_some());
        tokio::time::advance(CHECK_INTERVAL).await;
        assert_eq!(system.names().generation, 1);
    }

    #[test]
    fn missing_files_are_replaced_by_defaults() {
        let missing = Path::new("/nonexistent/file").to_path_buf();
        let dns = Dns { resolv_conf: missing.clone(), hosts: missing, ..Dns::default() };
        let names = ResolverSnapshot::read(&dns, 0);
        assert_eq!(names.candidates("db"), ["db."]);
        assert!(names.in_hosts_file("localhost").is_none());
    }
}
