//! Finds the addresses of a host, and refuses those that may not be called.

use std::net::{IpAddr, SocketAddr};

use postrider_core::{
    address::{self, Policy},
    outcome::Failure,
};
use url::{Host, Url};

use super::http::Failed;

/// Addresses to try, in order; at least one.
pub(super) async fn resolve(url: &Url, policy: &Policy) -> Result<Vec<SocketAddr>, Failed> {
    let port = url.port_or_known_default().unwrap_or(443);
    let found = match url.host() {
        Some(Host::Ipv4(address)) => vec![SocketAddr::new(IpAddr::V4(address), port)],
        Some(Host::Ipv6(address)) => vec![SocketAddr::new(IpAddr::V6(address), port)],
        Some(Host::Domain(name)) => lookup(name, port).await?,
        None => return Err(Failed::new(Failure::Resolve, "the URL names no host")),
    };
    allowed(found, policy)
}

async fn lookup(name: &str, port: u16) -> Result<Vec<SocketAddr>, Failed> {
    match tokio::net::lookup_host((name, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(Failed::new(
            Failure::Resolve,
            format!("host name {name} does not resolve: {error}"),
        )),
    }
}

/// Those of the addresses that may be called.
fn allowed(found: Vec<SocketAddr>, policy: &Policy) -> Result<Vec<SocketAddr>, Failed> {
    let mut forbidden = None;
    let mut addresses = Vec::with_capacity(found.len());
    for address in found {
        match address::check(address.ip(), policy) {
            Ok(()) => addresses.push(address),
            Err(reason) => forbidden = Some((address, reason)),
        }
    }
    match (addresses.is_empty(), forbidden) {
        (false, _) => Ok(addresses),
        (true, Some((address, reason))) => Err(Failed {
            address: Some(address),
            ..Failed::new(Failure::Forbidden, reason.to_string())
        }),
        (true, None) => Err(Failed::new(Failure::Resolve, "the host name has no address")),
    }
}
