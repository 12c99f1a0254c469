//! One request to one URL, over a connection of its own.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

const AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// A request; `host` and `user-agent` are added if they are not among its headers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: BoxBody<Bytes, Infallible>,
}

impl Outgoing {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: whole(Bytes::new()) }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: whole(body.into()), ..self }
    }
}

/// A body that is sent at once, with its length.
pub(crate) fn whole(body: Bytes) -> BoxBody<Bytes, Infallible> {
    Full::new(body).boxed()
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
    #[expect(dead_code, reason = "commands that show answers come next")]
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

async fn exchange(request: Outgoing, limit: usize) -> Result<Answer, NoAnswer> {
    let url = request.url.clone();
    let is_https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(NoAnswer::Url(url)),
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let Some(port) = url.port_or_known_default() else { return Err(NoAnswer::Url(url)) };
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(|source| NoAnswer::Unreachable { url: url.clone(), source })?;
    let request = prepared(request);
    let answer = if is_https {
        let Ok(name) = ServerName::try_from(host) else { return Err(NoAnswer::Url(url)) };
        let stream = tls()
            .connect(name, stream)
            .await
            .map_err(|source| NoAnswer::Tls { url: url.clone(), source })?;
        Box::pin(send(stream, request, limit)).await
    } else {
        Box::pin(send(stream, request, limit)).await
    };
    answer.map_err(|source| NoAnswer::Broken { url, source })
}

fn prepared(outgoing: Outgoing) -> Request<BoxBody<Bytes, Infallible>> {
    let Outgoing { method, url, headers, body } = outgoing;
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
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<BoxBody<Bytes, Infallible>>,
    limit: usize,
) -> hyper::Result<Answer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
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
