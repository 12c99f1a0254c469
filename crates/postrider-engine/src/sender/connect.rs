//! Opens connections: directly or through a proxy, in plain text or in TLS.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Uri};
use hyper_util::{
    client::legacy::connect::{
        HttpConnector,
        proxy::{SocksV5, Tunnel},
    },
    rt::TokioIo,
};
use postrider_core::outcome::Failure;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Url;

use super::{
    http::{Failed, Options},
    tls::Tls,
};

/// Longest wait for one of several addresses before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A proxy that all calls go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// HTTP `CONNECT`; the header is sent as `Proxy-Authorization`.
    Connect {
        uri: Uri,
        authorization: Option<HeaderValue>,
    },
    Socks5 {
        uri: Uri,
        credentials: Option<(String, String)>,
    },
}

/// Opens connections.
pub(super) struct Connector {
    tls: Tls,
    proxy: Option<Proxy>,
    no_proxy: Vec<String>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// An open connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            tls: Tls::new(options),
            proxy: options.proxy.clone(),
            no_proxy: options.no_proxy.clone(),
        }
    }

    /// Connects to the first of the addresses that answers. Over TLS, the certificates in
    /// `trusted` are trusted if they are given, and else the installation's.
    pub(super) async fn connect(
        &self,
        url: &Url,
        addresses: &[SocketAddr],
        trusted: Option<&str>,
    ) -> Result<(Stream, SocketAddr), Failed> {
        let mut failed = Failed::new(Failure::Connect, "the host has no address");
        for &address in addresses {
            match self.open(url, address, trusted).await {
                Ok(stream) => return Ok((stream, address)),
                Err(it) => failed = Failed { address: Some(address), ..it },
            }
        }
        Err(failed)
    }

    async fn open(
        &self,
        url: &Url,
        address: SocketAddr,
        trusted: Option<&str>,
    ) -> Result<Stream, Failed> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.tcp(url, address));
        let too_late =
            |_| Failed::new(Failure::Connect, format!("no connection to {address} within 5 s"));
        let tcp = connecting.await.map_err(too_late)??;
        // Small requests are not to wait for each other; a socket that refuses works too.
        drop(tcp.set_nodelay(true));
        if url.scheme() != "https" {
            return Ok(Stream::Plain(tcp));
        }
        let host = url.host_str().unwrap_or_default();
        Ok(Stream::Tls(Box::new(self.tls.connect(host, tcp, trusted).await?)))
    }

    async fn tcp(&self, url: &Url, address: SocketAddr) -> Result<TcpStream, Failed> {
        let refused = |error: &dyn std::error::Error| {
            Failed::new(Failure::Connect, format!("no connection to {address}: {error}"))
        };
        match &self.proxy {
            Some(proxy) if !self.is_direct(url) => through(proxy, address).await,
            Some(_) | None => TcpStream::connect(address).await.map_err(|error| refused(&error)),
        }
    }

    /// Whether the host is called without the proxy.
    fn is_direct(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.no_proxy.iter().any(|name| {
            let name = name.trim_start_matches('.');
            name == "*"
                || host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// Connects through a proxy. It gets the address that was checked, not the name, so that it
/// cannot resolve the name to something else.
async fn through(proxy: &Proxy, address: SocketAddr) -> Result<TcpStream, Failed> {
    let target: Uri = format!("http://{address}/").parse().expect("an address is an authority");
    let connected = match proxy {
        Proxy::Connect { uri, authorization } => {
            let mut tunnel = Tunnel::new(uri.clone(), plain_connector());
            if let Some(authorization) = authorization {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            tunnel.call(target).await.map_err(|error| error.to_string())
        },
        Proxy::Socks5 { uri, credentials } => {
            let mut socks = SocksV5::new(uri.clone(), plain_connector());
            if let Some((user, password)) = credentials {
                socks = socks.with_auth(user.clone(), password.clone());
            }
            socks.call(target).await.map_err(|error| error.to_string())
        },
    };
    connected.map(TokioIo::into_inner).map_err(|error| {
        Failed::new(Failure::Connect, format!("no connection through the proxy: {error}"))
    })
}

fn plain_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector
}

impl Stream {
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
