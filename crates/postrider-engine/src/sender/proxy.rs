//! Connects through a proxy.
//!
//! An HTTP proxy opens a tunnel (`CONNECT`), or forwards requests over plain HTTP; a SOCKS5 proxy
//! always opens a tunnel. Unless the proxy resolves names, it gets the address that was checked
//! instead of the name, so that it cannot resolve the name to another address.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper_util::{client::legacy::connect::proxy::SocksV5, rt::TokioIo};
use postrider_core::{outcome::Failure, proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_service::Service;
use url::{Host, Url};

use super::{error::CallError, origin::LookupGroup, resolve::Resolver};

/// Time limit for connecting to one address, before the next one is tried.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest head of a response to `CONNECT`.
const HEAD_MAX: usize = 8 << 10;

const HEADERS_MAX: usize = 100;

/// A proxy that all calls go through.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub host: String,
    pub port: u16,
    pub protocol: ProxyProtocol,
    /// The proxy resolves host names and decides which addresses may be called. Otherwise it gets
    /// addresses that were checked.
    pub resolves: bool,
}

/// The protocol of a proxy.
#[derive(Clone, PartialEq, Eq)]
pub enum ProxyProtocol {
    Http {
        /// Sent as `Proxy-Authorization`.
        authorization: Option<HeaderValue>,
        /// Use a tunnel for plain HTTP too, instead of forwarded requests.
        always_connects: bool,
    },
    Socks5 {
        /// User name and password.
        credentials: Option<(String, String)>,
    },
}

/// What a proxy connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

impl Target {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(..) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Shows no credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            ProxyProtocol::Http { .. } => "http",
            ProxyProtocol::Socks5 { .. } => "socks5",
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, resolves: {})", self.resolves)
    }
}

impl fmt::Debug for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http { .. } => "Http",
            Self::Socks5 { .. } => "Socks5",
        })
    }
}

impl Proxy {
    /// The host name of the URL, if the proxy resolves it; otherwise the proxy gets addresses.
    pub(super) fn target(&self, url: &Url) -> Option<Target> {
        let Some(Host::Domain(name)) = url.host().filter(|_| self.resolves) else { return None };
        let port = url.port_or_known_default().unwrap_or(443);
        Some(Target::Name(name.to_owned(), port))
    }

    /// Whether the proxy forwards requests to this URL.
    pub(super) fn forwards(&self, url: &Url) -> bool {
        match self.protocol {
            ProxyProtocol::Http { always_connects, .. } => {
                !always_connects && proxy::is_forwarded(url, self.resolves)
            },
            ProxyProtocol::Socks5 { .. } => false,
        }
    }

    /// Turns a request into one that the proxy forwards: with the whole URL, and with the
    /// credentials for the proxy.
    pub(super) fn address_request<B>(&self, request: &mut Request<B>, absolute: &Uri) {
        *request.uri_mut() = absolute.clone();
        if let ProxyProtocol::Http { authorization: Some(authorization), .. } = &self.protocol {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
    }

    /// Fails if the response to a forwarded request must come from the proxy itself.
    pub(super) fn check_response(&self, status: StatusCode) -> Result<(), CallError> {
        if status != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Ok(());
        }
        Err(self.refused_credentials(status.as_u16()))
    }

    /// Connects to the proxy and opens a tunnel to the target, unless requests are forwarded.
    /// Returns the proxy's address.
    pub(super) async fn open(
        &self,
        target: &Target,
        is_forwarded: bool,
        resolver: &Resolver,
    ) -> Result<(TcpStream, SocketAddr), CallError> {
        let (tcp, address) = self.dial(resolver).await?;
        if is_forwarded {
            return Ok((tcp, address));
        }
        let tunnel = tokio::time::timeout(CONNECT_TIMEOUT, self.tunnel(tcp, target)).await;
        let tunnel = tunnel.unwrap_or_else(|_| {
            let limit = CONNECT_TIMEOUT.as_secs();
            Err(self.failed(format_args!("did not connect to {target} within {limit} s")))
        });
        Ok((tunnel?, address))
    }

    async fn dial(&self, resolver: &Resolver) -> Result<(TcpStream, SocketAddr), CallError> {
        let unreachable =
            |reason: &dyn fmt::Display| self.failed(format_args!("cannot be reached: {reason}"));
        let addresses = if let Ok(address) = self.host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, self.port)]
        } else {
            let found = resolver.addresses(&self.host, self.port, LookupGroup::Proxy).await;
            found.map_err(|failed| unreachable(&failed.reason))?
        };
        let mut failed = unreachable(&"it has no address");
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return Ok((tcp, address)),
                Ok(Err(error)) => failed = unreachable(&error),
                Err(_) => failed = unreachable(&"no connection within 5 s"),
            }
        }
        Err(failed)
    }

    async fn tunnel(&self, tcp: TcpStream, target: &Target) -> Result<TcpStream, CallError> {
        match &self.protocol {
            ProxyProtocol::Http { authorization, .. } => {
                self.connect(tcp, target, authorization.as_ref()).await
            },
            ProxyProtocol::Socks5 { credentials } => {
                self.socks5(tcp, target, credentials.as_ref()).await
            },
        }
    }

    async fn connect(
        &self,
        mut tcp: TcpStream,
        target: &Target,
        authorization: Option<&HeaderValue>,
    ) -> Result<TcpStream, CallError> {
        let broken = |error: std::io::Error| self.failed(format_args!("broke off: {error}"));
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
        if let Some(authorization) = authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        tcp.write_all(&request).await.map_err(broken)?;
        let mut head = Vec::with_capacity(HEAD_MAX);
        while head.len() < HEAD_MAX {
            if tcp.read_buf(&mut head).await.map_err(broken)? == 0 {
                return Err(self.failed("closed the connection without a response"));
            }
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut response = httparse::Response::new(&mut headers);
            match response.parse(&head) {
                Ok(httparse::Status::Partial) => {},
                Ok(httparse::Status::Complete(_)) => {
                    let status = response.code.unwrap_or_default();
                    return self
                        .judge(status, response.reason.unwrap_or_default(), target)
                        .map(|()| tcp);
                },
                Err(_) => break,
            }
        }
        Err(self.failed("does not respond as an HTTP proxy does"))
    }

    fn judge(&self, status: u16, reason: &str, target: &Target) -> Result<(), CallError> {
        match status {
            200..=299 => Ok(()),
            // Some proxies respond to wrong credentials with the status code of a web server.
            401 | 407 => Err(self.refused_credentials(status)),
            _ => {
                Err(self.failed(format_args!("refused to connect to {target}: {status} {reason}")))
            },
        }
    }

    fn refused_credentials(&self, status: u16) -> CallError {
        let is_given = match &self.protocol {
            ProxyProtocol::Http { authorization, .. } => authorization.is_some(),
            ProxyProtocol::Socks5 { credentials } => credentials.is_some(),
        };
        let reason = if is_given {
            "does not accept the user name and password in its URL"
        } else {
            "requires a user name and password, which its URL does not have"
        };
        self.failed(format_args!("{reason} ({status})"))
    }

    async fn socks5(
        &self,
        tcp: TcpStream,
        target: &Target,
        credentials: Option<&(String, String)>,
    ) -> Result<TcpStream, CallError> {
        let uri = |authority: &dyn fmt::Display| format!("http://{authority}/").parse::<Uri>();
        let (Ok(proxy), Ok(target_uri)) = (uri(&"proxy"), uri(target)) else {
            return Err(self.failed(format_args!("cannot be given the target {target}")));
        };
        let mut socks = SocksV5::new(proxy, Opened(Some(tcp)));
        if let Some((user, password)) = credentials {
            socks = socks.with_auth(user.clone(), password.clone());
        }
        let opened = socks.call(target_uri).await;
        opened.map(TokioIo::into_inner).map_err(|error| {
            let text = error.to_string();
            let reason = text.strip_prefix("SOCKS error: ").unwrap_or(&text);
            self.failed(format_args!("did not connect to {target}: {reason}"))
        })
    }

    fn failed(&self, reason: impl fmt::Display) -> CallError {
        CallError::new(Failure::Connect, format!("proxy {self} {reason}"))
    }
}

/// A connector that returns a connection that is already open.
struct Opened(Option<TcpStream>);

impl Service<Uri> for Opened {
    type Response = TokioIo<TcpStream>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let tcp = self.0.take().map(TokioIo::new);
        std::future::ready(tcp.ok_or_else(|| std::io::ErrorKind::NotConnected.into()))
    }
}
