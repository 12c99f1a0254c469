//! A client of the server's API, which survives the server's restarts.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// How long a response may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long the server may be away: a restart with a long log, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between two attempts to reach a server that is away.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// A request to the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    pub(crate) fn with_body(method: Method, path: impl Into<String>, body: &Value) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: body.to_string() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A response, and how often the request was made.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) attempts: u32,
}

#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    client: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token, client: legacy::Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Makes a request; its response may be read to the end, or dropped.
    pub(crate) async fn send(&self, call: &Call) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("http://{}{}", self.address, call.path));
        let has = |name: &str| call.headers.iter().any(|it| it.0 == name);
        if !has("cookie") && !call.path.starts_with("/in/") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if !has("content-type") && !call.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(call.body.clone()))?;
        let response = timeout(TIMEOUT, self.client.request(request)).await;
        Ok(response.with_context(|| format!("{} is not answered", call.path))??)
    }

    /// The status and the body of the response.
    pub(crate) async fn call(&self, call: &Call) -> anyhow::Result<(StatusCode, Value)> {
        let response = self.send(call).await?;
        let status = response.status();
        let body = timeout(TIMEOUT, response.into_body().collect()).await.context("a body")??;
        Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null)))
    }

    /// Repeats a request while the server is away or unavailable.
    pub(crate) async fn insist(&self, call: &Call) -> anyhow::Result<Returned> {
        let started = Instant::now();
        let mut last = String::new();
        for attempts in 1.. {
            match self.call(call).await {
                Ok((status, body)) if !status.is_server_error() => {
                    return Ok(Returned { status, body, attempts });
                },
                Ok((status, body)) => last = format!("{status} {body}"),
                Err(error) => last = format!("{error:#}"),
            }
            if started.elapsed() > PATIENCE {
                break;
            }
            sleep(RETRY_INTERVAL).await;
        }
        bail!("{} {}: {last}", call.method, call.path)
    }

    /// The same, for a request that has to succeed. A repeated one may find its own result.
    pub(crate) async fn succeed(&self, call: &Call) -> anyhow::Result<Value> {
        let Returned { status, body, attempts } = self.insist(call).await?;
        let is_own = attempts > 1
            && (status == StatusCode::CONFLICT && call.method == Method::POST
                || status == StatusCode::NOT_FOUND && call.method == Method::DELETE);
        ensure!(status.is_success() || is_own, "{} {}: {status} {body}", call.method, call.path);
        Ok(body)
    }

    /// Waits until the server is healthy; `is_alive` tells whether it can still become so.
    pub(crate) async fn wait_until_healthy(
        &self,
        mut is_alive: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            ensure!(is_alive(), "the server ended by itself");
            if let Ok((status, _)) = self.call(&Call::get("/api/v1/health")).await
                && status.is_success()
            {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!("the server does not become healthy")
    }
}
