//! Configuration of name resolution.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use postrider_core::names::Ttls;

/// Configuration of name resolution.
#[derive(Clone, Debug)]
pub struct Dns {
    /// Name servers; empty for those of `resolv_conf`.
    pub servers: Vec<SocketAddr>,
    /// Time limit of one lookup, including retries.
    pub timeout: Duration,
    /// Longest wait for a lookup to start while too many others are in flight.
    pub wait: Duration,
    pub ttls: Ttls,
    /// Names in the cache.
    pub cache: usize,
    /// Lookups in flight.
    pub lookups: usize,
    /// The system's resolver configuration, read again when it changes.
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
