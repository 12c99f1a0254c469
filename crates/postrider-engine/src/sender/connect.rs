//! Opens connections: directly or through a proxy, in plain text or in TLS.

use std::{net::SocketAddr, sync::Arc};

use postrider_core::{
    address::{self, Policy},
    outcome::Failure,
    proxy::NoProxy,
};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use url::Url;

use super::{
    egress::EgressLog,
    error::CallError,
    meter::Metered,
    options::SenderOptions,
    origin::Origin,
    proxy::{CONNECT_TIMEOUT, Proxy, Target},
    receive_budget::{ByteMeter, ReceiveBudget, ResponseLimits},
    resolve::Resolver,
    tls::{Tls, TlsSettings},
};

/// What customers see if an address is refused. It does not name the address, because that would
/// reveal how names resolve within the operator's network.
const FORBIDDEN: &str = "the address of the host is not allowed";

/// A connection to a receiver or a proxy, below TLS.
type Tcp = Metered<TcpStream, ByteMeter>;

/// Opens connections.
pub(super) struct Connector {
    tls: Tls,
    addresses: Policy,
    resolver: Resolver,
    proxy: Option<Proxy>,
    no_proxy: NoProxy,
    responses: ResponseLimits,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// A connection in plain text or in TLS.
pub(super) type Stream = Either<Tcp, Box<TlsStream<Tcp>>>;

/// A connection that was opened, before HTTP is spoken on it.
#[derive(Debug)]
pub(super) struct Opened {
    pub stream: Stream,
    /// The receiver's address, or the proxy's if that resolves names or forwards requests.
    pub address: SocketAddr,
    /// What may be received on the connection.
    pub budget: ReceiveBudget,
    /// TLS negotiated HTTP/2.
    pub is_http2: bool,
}

impl Connector {
    pub(super) fn new(options: &SenderOptions) -> Self {
        Self {
            tls: Tls::new(options),
            resolver: Resolver::new(options.dns.clone()),
            addresses: options.addresses.clone(),
            proxy: options.proxy.clone(),
            no_proxy: options.no_proxy.clone(),
            responses: options.responses,
        }
    }

    /// Connects to the first reachable address of the host, directly or through the proxy. Over
    /// TLS, `tls` says which certificates are trusted and which one is presented.
    pub(super) async fn connect(
        &self,
        url: &Url,
        origin: Origin,
        tls: TlsSettings<'_>,
    ) -> Result<Opened, CallError> {
        let egress = EgressLog { origin, url };
        let targets = self.targets(url, egress, &[]).await.inspect_err(|it| egress.failed(it))?;
        let mut failed = CallError::new(Failure::Connect, "the host has no address");
        for target in targets {
            match self.open(url, &target, self.proxy(url), tls).await {
                Ok(opened) => {
                    egress.connected(opened.address);
                    return Ok(opened);
                },
                Err(it) => failed = CallError { address: target.address(), ..it },
            }
            egress.failed(&failed);
        }
        Err(failed)
    }

    /// Connects to the first reachable address of the host without speaking TLS, directly or
    /// through a tunnel of the proxy. `own_ports` are allowed in addition to those of the
    /// installation.
    pub(super) async fn connect_tcp(
        &self,
        url: &Url,
        origin: Origin,
        own_ports: &[u16],
    ) -> Result<(TcpStream, SocketAddr), CallError> {
        let egress = EgressLog { origin, url };
        let targets = self.targets(url, egress, own_ports).await;
        let mut failed = CallError::new(Failure::Connect, "the host has no address");
        for target in targets.inspect_err(|it| egress.failed(it))? {
            match self.open_tcp(&target, self.proxy(url), false).await {
                Ok((stream, address)) => {
                    egress.connected(address);
                    return Ok((stream, address));
                },
                Err(it) => failed = CallError { address: target.address(), ..it },
            }
            egress.failed(&failed);
        }
        Err(failed)
    }

    /// The allowed addresses of the host, at least one.
    pub(super) async fn addresses(
        &self,
        url: &Url,
        origin: Origin,
        own_ports: &[u16],
    ) -> Result<Vec<SocketAddr>, CallError> {
        let egress = EgressLog { origin, url };
        self.check_port(url, own_ports)?;
        self.allowed_addresses(url, egress).await.inspect_err(|it| egress.failed(it))
    }

    /// TLS that trusts the installation's certificates, or only those in `trusted` (PEM).
    pub(super) fn tls_config(&self, trusted: Option<&str>) -> Result<Arc<ClientConfig>, CallError> {
        self.tls.bare_config(trusted)
    }

    /// The authorities that the installation trusts.
    pub(super) fn authorities(&self) -> Vec<CertificateDer<'static>> {
        self.tls.authorities()
    }

    /// As [`Self::tls_config`], for a client that is given the address of the host.
    pub(super) fn named_tls_config(
        &self,
        host: &str,
        trusted: Option<&str>,
    ) -> Result<Arc<ClientConfig>, CallError> {
        self.tls.named_config(host, trusted)
    }

    /// Whether the installation allows the scheme of a URL that is called over HTTP.
    pub(super) fn check_scheme(&self, url: &Url) -> Result<(), CallError> {
        if self.addresses.https_only && url.scheme() != "https" {
            let reason = "the URL is not https, and this server calls no others";
            return Err(CallError::new(Failure::Forbidden, reason));
        }
        Ok(())
    }

    fn check_port(&self, url: &Url, own_ports: &[u16]) -> Result<(), CallError> {
        if url.port_or_known_default().is_some_and(|port| own_ports.contains(&port)) {
            return Ok(());
        }
        address::check_port(url, &self.addresses)
            .map_err(|reason| CallError::new(Failure::Forbidden, reason.to_string()))
    }

    /// The addresses or names to connect to. Ports and addresses that are not allowed fail here.
    ///
    /// The addresses are checked after each lookup, also if it came from the cache, and the
    /// connection is made to the address that was checked. So a name cannot pass the check and
    /// then resolve to another address.
    async fn targets(
        &self,
        url: &Url,
        egress: EgressLog<'_>,
        own_ports: &[u16],
    ) -> Result<Vec<Target>, CallError> {
        self.check_port(url, own_ports)?;
        if let Some(name) = self.proxy(url).and_then(|proxy| proxy.target(url)) {
            return Ok(vec![name]);
        }
        let allowed = self.allowed_addresses(url, egress).await?;
        Ok(allowed.into_iter().map(Target::Address).collect())
    }

    async fn allowed_addresses(
        &self,
        url: &Url,
        egress: EgressLog<'_>,
    ) -> Result<Vec<SocketAddr>, CallError> {
        let found = self.resolver.resolve(url, egress.origin.group).await?;
        let is_allowed = |it: &SocketAddr| address::check(it.ip(), &self.addresses).is_ok();
        let (allowed, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(is_allowed);
        for it in &refused {
            egress.refused(*it, &self.addresses);
        }
        if allowed.is_empty() && !refused.is_empty() {
            return Err(CallError::new(Failure::Forbidden, FORBIDDEN));
        }
        Ok(allowed)
    }

    /// The proxy that forwards requests to the URL, if it is not asked for a tunnel.
    pub(super) fn forwarding(&self, url: &Url) -> Option<&Proxy> {
        self.proxy(url).filter(|proxy| proxy.forwards(url))
    }

    fn proxy(&self, url: &Url) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !self.no_proxy.covers(url))
    }

    async fn open(
        &self,
        url: &Url,
        target: &Target,
        proxy: Option<&Proxy>,
        tls: TlsSettings<'_>,
    ) -> Result<Opened, CallError> {
        let is_forwarded = proxy.is_some_and(|proxy| proxy.forwards(url));
        let (tcp, address) = self.open_tcp(target, proxy, is_forwarded).await?;
        let budget = ReceiveBudget::new(self.responses);
        let tcp = Metered::new(tcp, ByteMeter::new(budget.clone()));
        if url.scheme() != "https" {
            return Ok(Opened { stream: Either::Left(tcp), address, budget, is_http2: false });
        }
        let host = url.host_str().unwrap_or_default();
        let stream = self.tls.connect(host, tcp, tls).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Opened { stream: Either::Right(Box::new(stream)), address, budget, is_http2 })
    }

    /// A connection to the target, or to the proxy if requests are forwarded by it.
    async fn open_tcp(
        &self,
        target: &Target,
        proxy: Option<&Proxy>,
        is_forwarded: bool,
    ) -> Result<(TcpStream, SocketAddr), CallError> {
        let (tcp, address) = match (proxy, target) {
            (Some(proxy), _) => {
                let (tcp, own) = proxy.open(target, is_forwarded, &self.resolver).await?;
                (tcp, target.address().unwrap_or(own))
            },
            (None, Target::Address(address)) => (tcp(*address).await?, *address),
            (None, Target::Name(name, _)) => {
                let reason = format!("host name {name} was not resolved");
                return Err(CallError::new(Failure::Resolve, reason));
            },
        };
        // Without Nagle's algorithm, small requests do not wait for each other. A socket that
        // refuses the option works too.
        drop(tcp.set_nodelay(true));
        Ok((tcp, address))
    }
}

async fn tcp(address: SocketAddr) -> Result<TcpStream, CallError> {
    let failed = |reason: &dyn std::fmt::Display| {
        CallError::new(Failure::Connect, format!("no connection to {address}{reason}"))
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|error| failed(&format_args!(": {error}"))),
        Err(_) => Err(failed(&format_args!(" within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}
