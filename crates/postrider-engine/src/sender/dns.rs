//! Configuration of name resolution.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use postrider_core::names::Ttls;

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
    /// ResolverSnapshot whose addresses are remembered.
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
