//! Calls a running server: one connection, one request.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{
    Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
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

use crate::failure::Advice;

/// A command that waits longer than this has lost its server.
const TIME_LIMIT: Duration = Duration::from_secs(60);

const AGENT: &str = concat!("postrider-cli/", env!("CARGO_PKG_VERSION"));

/// One request to the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// Path behind `/api/v1`, in segments that are not escaped yet.
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
    pub idempotency_key: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|it| (*it).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
        }
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (name, value)));
        self
    }
}

/// A server and the right to call it.
#[derive(Debug)]
pub(crate) struct Client {
    pub url: Url,
    pub token: String,
}

impl Client {
    /// Makes the call, and tells status and body of the answer.
    pub(crate) async fn ask(&self, call: Call) -> anyhow::Result<(StatusCode, Bytes)> {
        timeout(TIME_LIMIT, self.exchange(call))
            .await
            .with_context(|| format!("{} did not answer in time", self.url))?
    }

    /// Makes the call; an answer that is no success is an error with the server's words.
    pub(crate) async fn call(&self, call: Call) -> anyhow::Result<Bytes> {
        let (status, body) = self.ask(call).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body).into()) }
    }

    async fn exchange(&self, call: Call) -> anyhow::Result<(StatusCode, Bytes)> {
        let host = self.url.host_str().context("the URL has no host")?;
        let port = self.url.port_or_known_default().context("the URL has no port")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream =
            TcpStream::connect((bare, port)).await.map_err(|error| self.unreachable(error))?;
        let request = self.request(call, host)?;
        if self.url.scheme() == "https" {
            let name = ServerName::try_from(bare.to_owned())?;
            send(tls()?.connect(name, stream).await.context("TLS handshake")?, request).await
        } else {
            send(stream, request).await
        }
    }

    fn request(&self, call: Call, host: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let url = self.address(&call)?;
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder()
            .method(call.method)
            .uri(target)
            .header(HOST, authority)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        request
            .body(Full::new(call.body.unwrap_or_default()))
            .context("the token or the key holds characters that a header cannot hold")
    }

    fn address(&self, call: &Call) -> anyhow::Result<Url> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{} is not a server's URL", self.url))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn unreachable(&self, error: std::io::Error) -> Advice {
        Advice {
            message: format!("{} cannot be reached", self.url),
            hint: "start a server with `postrider serve`, or name it with --url or POSTRIDER_URL"
                .to_owned(),
            source: Some(error.into()),
        }
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Advice {
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "make a token with `postrider token create`, and set POSTRIDER_TOKEN to it"
        },
        StatusCode::NOT_FOUND => "`list` shows what there is",
        StatusCode::SERVICE_UNAVAILABLE => "try again in a moment",
        _ => "`postrider openapi` describes what the server expects",
    };
    Advice { message: words(status, body), hint: hint.to_owned(), source: None }
}

/// The server's own words for why it refused.
fn words(status: StatusCode, body: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body) else {
        return format!("the server answered {status}");
    };
    let detail = &answer["detail"];
    if let Some(faults) = detail.as_array() {
        let faults: Vec<_> = faults.iter().map(fault).collect();
        return format!("{} ({status})", faults.join("; "));
    }
    detail
        .as_str()
        .map_or_else(|| format!("the server answered {status}"), |it| format!("{it} ({status})"))
}

fn fault(fault: &serde_json::Value) -> String {
    let place: Vec<_> = fault["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
        .collect();
    format!("{}: {}", place.join("."), fault["msg"].as_str().unwrap_or("is not valid"))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await.context("the connection broke")?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer broke off")?;
        anyhow::Ok((status, body.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

fn tls() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
