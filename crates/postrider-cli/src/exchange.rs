//! One request to one URL, over a connection of its own.

mod capitals;

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

use self::capitals::Capitals;

/// What is sent, at once or in pieces.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

const AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// A request; `host` and `user-agent` are added if they are not among its headers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Body,
    pub letters: Letters,
}

/// How header names are written; they mean the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Letters {
    #[default]
    Small,
    /// `Content-Type`, as most providers do.
    Title,
    Capital,
}

impl Outgoing {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        let headers = HeaderMap::new();
        Self { method, url, headers, body: whole(Bytes::new()), letters: Letters::default() }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: whole(body.into()), ..self }
    }
}

/// A body that is sent at once, with its length.
pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).boxed_unsync()
}

/// How long a call may take, and how much of its answer is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub time: Duration,
    pub answer_bytes: usize,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the body is all of it: it may be larger than was allowed, or have broken off.
    pub is_whole: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("{0} cannot be called: expected http:// or https:// and a host")]
    Url(Url),
    #[error("{url} cannot be reached")]
    Unreachable { url: Url, source: io::Error },
    #[error("{url} did not agree on TLS")]
    Tls { url: Url, source: io::Error },
    #[error("{0} did not answer in time")]
    TimedOut(Url),
    #[error("the connection to {url} broke")]
    Broken { url: Url, source: hyper::Error },
}

/// Makes the call.
pub(crate) async fn call(request: Outgoing, bounds: Bounds) -> Result<Answer, NoAnswer> {
    let url = request.url.clone();
    let exchange = Box::pin(exchange(request, bounds.answer_bytes));
    timeout(bounds.time, exchange).await.map_err(|_| NoAnswer::TimedOut(url))?
}

/// Whether something listens there.
pub(crate) async fn reach(url: &Url, time: Duration) -> Result<(), NoAnswer> {
    let connected = timeout(time, connect(url)).await;
    connected.map_err(|_| NoAnswer::TimedOut(url.clone()))?.map(|_| ())
}

/// A connection to a server, with or without TLS.
pub(crate) trait Connection:
    AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug
{
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Connection for T {}

/// Connects to the server that the URL names, for more than one exchange.
pub(crate) async fn open(url: &Url) -> Result<Box<dyn Connection>, NoAnswer> {
    let stream = connect(url).await?;
    if url.scheme() == "https" {
        Ok(Box::new(secured(url, stream).await?))
    } else {
        Ok(Box::new(stream))
    }
}

async fn secured(url: &Url, stream: TcpStream) -> Result<TlsStream<TcpStream>, NoAnswer> {
    let name = host(url).and_then(|it| ServerName::try_from(it.to_owned()).ok());
    let Some(name) = name else { return Err(NoAnswer::Url(url.clone())) };
    let secured = tls().connect(name, stream).await;
    secured.map_err(|source| NoAnswer::Tls { url: url.clone(), source })
}

async fn connect(url: &Url) -> Result<TcpStream, NoAnswer> {
    let (Some(host), Some(port)) = (host(url), url.port_or_known_default()) else {
        return Err(NoAnswer::Url(url.clone()));
    };
    TcpStream::connect((host, port))
        .await
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(|source| NoAnswer::Unreachable { url: url.clone(), source })
}

/// The host of a URL that can be called, without the brackets of IPv6.
fn host(url: &Url) -> Option<&str> {
    let host = url.host_str().filter(|_| ["http", "https"].contains(&url.scheme()))?;
    Some(host.trim_start_matches('[').trim_end_matches(']'))
}

async fn exchange(request: Outgoing, limit: usize) -> Result<Answer, NoAnswer> {
    let url = request.url.clone();
    let letters = request.letters;
    let stream = connect(&url).await?;
    let request = prepared(request);
    let answer = if url.scheme() == "https" {
        written(secured(&url, stream).await?, request, letters, limit).await
    } else {
        written(stream, request, letters, limit).await
    };
    answer.map_err(|source| NoAnswer::Broken { url, source })
}

/// Sends it with header names as they are wanted.
async fn written(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    letters: Letters,
    limit: usize,
) -> hyper::Result<Answer> {
    let mut builder = http1::Builder::new();
    match letters {
        Letters::Small => Box::pin(send(&builder, stream, request, limit)).await,
        Letters::Title => {
            builder.title_case_headers(true);
            Box::pin(send(&builder, stream, request, limit)).await
        },
        Letters::Capital => Box::pin(send(&builder, Capitals::new(stream), request, limit)).await,
    }
}

fn prepared(outgoing: Outgoing) -> Request<Body> {
    let Outgoing { method, url, headers, body, letters: _ } = outgoing;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    *request.uri_mut() = target.parse().expect("a URL's path and query are a target");
    *request.headers_mut() = headers;
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let authority = authority.parse().expect("a URL's host is a header's value");
    let agent = header::HeaderValue::from_static(AGENT);
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
) -> hyper::Result<Answer> {
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let (body, is_whole) = read(body, limit).await;
        Ok(Answer { status: parts.status, headers: parts.headers, body, is_whole })
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

/// Reads up to the limit, and tells whether that was all.
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
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
