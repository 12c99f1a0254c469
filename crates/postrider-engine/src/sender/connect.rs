//! Opens connections: directly or through a proxy, in plain text or in TLS.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use postrider_core::{
    address::{self, Policy},
    outcome::Failure,
    proxy::NoProxy,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use url::Url;

use super::{
    allowance::{Allowance, ByteMeter, ResponseLimits},
    egress::{Egress, Origin},
    http::{Failed, Options},
    meter::Metered,
    proxy::{CONNECT_TIMEOUT, Proxy, Target},
    resolve::Resolver,
    tls::Tls,
};

/// What customers learn of an address that is refused: not which one it is, since that would
/// tell them how names resolve within the operator's network.
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

/// An open connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

impl Connector {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            tls: Tls::new(options),
            resolver: Resolver::new(options.dns.clone()),
            addresses: options.addresses.clone(),
            proxy: options.proxy.clone(),
            no_proxy: options.no_proxy.clone(),
            responses: options.responses,
        }
    }

    /// Connects to the first of the host's addresses that answers, or to it through the proxy.
    /// Over TLS, the certificates in `trusted` are trusted if they are given, and else the
    /// installation's.
    pub(super) async fn connect(
        &self,
        url: &Url,
        origin: Origin,
        trusted: Option<&str>,
    ) -> Result<(Stream, SocketAddr), Failed> {
        let egress = Egress { origin, url };
        let targets = self.targets(url, egress).await.inspect_err(|it| egress.failed(it))?;
        let mut failed = Failed::new(Failure::Connect, "the host has no address");
        for target in targets {
            match self.open(url, &target, self.proxy(url), trusted).await {
                Ok(opened) => {
                    egress.connected(opened.1);
                    return Ok(opened);
                },
                Err(it) => failed = Failed { address: target.address(), ..it },
            }
            egress.failed(&failed);
        }
        Err(failed)
    }

    /// Where to connect to; a port or an address that is not allowed ends here.
    async fn targets(&self, url: &Url, egress: Egress<'_>) -> Result<Vec<Target>, Failed> {
        address::check_port(url, &self.addresses)
            .map_err(|reason| Failed::new(Failure::Forbidden, reason.to_string()))?;
        let group = egress.origin.group;
        if let Some(name) = self.proxy(url).and_then(|proxy| proxy.target(url)) {
            return Ok(vec![name]);
        }
        let found = self.resolver.resolve(url, group).await?;
        let is_allowed = |it: &SocketAddr| address::check(it.ip(), &self.addresses).is_ok();
        let (allowed, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(is_allowed);
        for it in &refused {
            egress.refused(*it, &self.addresses);
        }
        if allowed.is_empty() && !refused.is_empty() {
            return Err(Failed::new(Failure::Forbidden, FORBIDDEN));
        }
        Ok(allowed.into_iter().map(Target::Address).collect())
    }

    /// The proxy that requests to the URL are sent to as they are, to be forwarded.
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
        trusted: Option<&str>,
    ) -> Result<(Stream, SocketAddr), Failed> {
        let (tcp, address) = match (proxy, target) {
            (Some(proxy), _) => {
                let (tcp, own) = proxy.open(target, proxy.forwards(url), &self.resolver).await?;
                (tcp, target.address().unwrap_or(own))
            },
            (None, Target::Address(address)) => (tcp(*address).await?, *address),
            (None, Target::Name(name, _)) => {
                let reason = format!("host name {name} was not resolved");
                return Err(Failed::new(Failure::Resolve, reason));
            },
        };
        // Small requests are not to wait for each other; a socket that refuses works too.
        drop(tcp.set_nodelay(true));
        let tcp = Metered::new(tcp, ByteMeter::new(Allowance::new(self.responses)));
        if url.scheme() != "https" {
            return Ok((Stream::Plain(tcp), address));
        }
        let host = url.host_str().unwrap_or_default();
        let stream = self.tls.connect(host, tcp, trusted).await?;
        Ok((Stream::Tls(Box::new(stream)), address))
    }
}

async fn tcp(address: SocketAddr) -> Result<TcpStream, Failed> {
    let failed = |reason: &dyn std::fmt::Display| {
        Failed::new(Failure::Connect, format!("no connection to {address}{reason}"))
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|error| failed(&format_args!(": {error}"))),
        Err(_) => Err(failed(&format_args!(" within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

impl Stream {
    /// What may still be received on the connection.
    pub(super) fn allowance(&self) -> &Allowance {
        match self {
            Self::Plain(stream) => stream.meter().allowance(),
            Self::Tls(stream) => stream.get_ref().0.meter().allowance(),
        }
    }

    /// Whether TLS agreed on HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(ctx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(ctx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(ctx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(ctx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(ctx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(ctx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(ctx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(ctx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(ctx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(ctx),
        }
    }
}
