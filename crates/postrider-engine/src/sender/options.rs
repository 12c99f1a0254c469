//! Configuration of the HTTP sender.

use std::time::Duration;

use postrider_core::{address::Policy, proxy::NoProxy};
use rustls_pki_types::CertificateDer;

use super::{dns::Dns, proxy::Proxy, receive_budget::ResponseLimits};

/// Configuration of the HTTP sender.
#[derive(Clone, Debug)]
pub struct SenderOptions {
    /// For everything: resolving, connecting, headers and body.
    pub request_timeout: Duration,
    pub addresses: Policy,
    pub dns: Dns,
    pub proxy: Option<Proxy>,
    /// Hosts that are called without the proxy.
    pub no_proxy: NoProxy,
    /// Certificate authorities that are trusted in addition to the system's.
    pub trusted: Vec<CertificateDer<'static>>,
    /// Limits on what a receiver may send.
    pub responses: ResponseLimits,
    /// Most idle connections, and how long one may be idle.
    pub idle_connections: usize,
    pub idle_timeout: Duration,
}
