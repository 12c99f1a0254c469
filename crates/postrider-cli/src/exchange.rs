//! Sends one HTTP request over a new connection.

mod upper_case;

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Url;

use self::upper_case::UpperCaseHeaders;

/// The body of a request, sent at once or in chunks.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

const USER_AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// A request; `host` and `user-agent` are added unless they are among its headers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
    pub header_case: HeaderCase,
}

/// The case of header names. It has no meaning, but some receivers depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum HeaderCase {
    #[default]
    Lower,
    /// `Content-Type`, as most providers send them.
    Title,
    Upper,
}

impl Outgoing {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: full_body(Bytes::new()),
            header_case: HeaderCase::default(),
        }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: full_body(body.into()), ..self }
    }
}

/// A body that is sent at once, with its length.
pub(crate) fn full_body(body: Bytes) -> Body {
    Full::new(body).boxed_unsync()
}

/// How long a call may take, and how much of its response is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub timeout: Duration,
    pub response_bytes: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body is complete: it may exceed the limit, or the connection may have broken.
    pub is_whole: bool,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{0} cannot be called: expected http:// or https:// and a host")]
    Url(Url),
    #[error("{url} cannot be reached")]
    Unreachable { url: Url, source: io::Error },
    #[error("TLS handshake with {url} failed")]
    Tls { url: Url, source: io::Error },
    #[error("{0} did not respond in time")]
    TimedOut(Url),
    #[error("the connection to {url} broke")]
    Broken { url: Url, source: hyper::Error },
}

/// Sends the request and reads the response.
pub(crate) async fn call(request: Outgoing, bounds: Bounds) -> Result<Response, CallError> {
    let url = request.url.clone();
    let exchange = Box::pin(exchange(request, bounds.response_bytes));
    timeout(bounds.timeout, exchange).await.map_err(|_| CallError::TimedOut(url))?
}

/// Checks that the server accepts connections.
pub(crate) async fn reach(url: &Url, limit: Duration) -> Result<(), CallError> {
    let connected = timeout(limit, connect(url)).await;
    connected.map_err(|_| CallError::TimedOut(url.clone()))?.map(|_| ())
}

/// A connection to a server, with or without TLS.
pub(crate) trait Connection:
    AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug
{
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Connection for T {}

/// Connects to the server of the URL, for protocols other than a single request.
pub(crate) async fn open(url: &Url) -> Result<Box<dyn Connection>, CallError> {
    let stream = connect(url).await?;
    if url.scheme() == "https" {
        Ok(Box::new(connect_tls(url, stream).await?))
    } else {
        Ok(Box::new(stream))
    }
}

async fn connect_tls(url: &Url, stream: TcpStream) -> Result<TlsStream<TcpStream>, CallError> {
    let name = host(url).and_then(|it| ServerName::try_from(it.to_owned()).ok());
    let Some(name) = name else { return Err(CallError::Url(url.clone())) };
    let secured = tls().connect(name, stream).await;
    secured.map_err(|source| CallError::Tls { url: url.clone(), source })
}

async fn connect(url: &Url) -> Result<TcpStream, CallError> {
    let (Some(host), Some(port)) = (host(url), url.port_or_known_default()) else {
        return Err(CallError::Url(url.clone()));
    };
    TcpStream::connect((host, port))
        .await
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(|source| CallError::Unreachable { url: url.clone(), source })
}

/// The host of an HTTP URL, without the brackets of an IPv6 address.
fn host(url: &Url) -> Option<&str> {
    let host = url.host_str().filter(|_| ["http", "https"].contains(&url.scheme()))?;
    Some(host.trim_start_matches('[').trim_end_matches(']'))
}

async fn exchange(request: Outgoing, limit: usize) -> Result<Response, CallError> {
    let url = request.url.clone();
    let header_case = request.header_case;
    let stream = connect(&url).await?;
    let request = http_request(request);
    let response = if url.scheme() == "https" {
        send_with_case(connect_tls(&url, stream).await?, request, header_case, limit).await
    } else {
        send_with_case(stream, request, header_case, limit).await
    };
    response.map_err(|source| CallError::Broken { url, source })
}

async fn send_with_case(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    header_case: HeaderCase,
    limit: usize,
) -> hyper::Result<Response> {
    let mut builder = http1::Builder::new();
    match header_case {
        HeaderCase::Lower => Box::pin(send(&builder, stream, request, limit)).await,
        HeaderCase::Title => {
            builder.title_case_headers(true);
            Box::pin(send(&builder, stream, request, limit)).await
        },
        HeaderCase::Upper => {
            Box::pin(send(&builder, UpperCaseHeaders::new(stream), request, limit)).await
        },
    }
}

fn http_request(outgoing: Outgoing) -> Request<Body> {
    let Outgoing { method, url, headers, body, header_case: _ } = outgoing;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    *request.uri_mut() = target.parse().expect("the path and query of a URL are a request target");
    *request.headers_mut() = headers;
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let authority = authority.parse().expect("the host of a URL is a header value");
    let agent = header::HeaderValue::from_static(USER_AGENT);
    let headers = request.headers_mut();
    headers.entry(header::HOST).or_insert(authority);
    headers.entry(header::USER_AGENT).or_insert(agent);
    request
}

async fn send(
    builder: &http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    limit: usize,
) -> hyper::Result<Response> {
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let (body, is_whole) = read(body, limit).await;
        Ok(Response { status: parts.status, headers: parts.headers, body, is_whole })
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        response = &mut exchange => response,
        _ = connection => exchange.await,
    }
}

/// Reads up to the limit; returns whether that is the whole body.
async fn read(mut body: Incoming, limit: usize) -> (Bytes, bool) {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return (read.freeze(), false) };
        let Ok(data) = frame.into_data() else { continue };
        let room = limit - read.len();
        read.extend(data.iter().take(room));
        if data.len() > room {
            return (read.freeze(), false);
        }
    }
    (read.freeze(), true)
}

fn tls() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(postrider_store::root_certificates());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
