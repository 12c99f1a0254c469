//! Calls a running server: one connection, one request.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use url::Url;

use crate::{
    exchange::{self, Bounds, NoAnswer, Outgoing},
    failure::Advice,
};

/// A command that waits longer than this has lost its server.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), answer_bytes: 256 * 1024 * 1024 };

/// One request to the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: Method,
    /// What the path begins with.
    pub root: &'static [&'static str],
    /// The rest of the path, in segments that are not escaped yet.
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
    pub idempotency_key: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            root: &["api", "v1"],
            path: path.iter().map(|it| (*it).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
        }
    }

    /// A call to what receives.
    pub(crate) fn ingest(method: Method, path: &[&str]) -> Self {
        Self { root: &["ingest", "api", "v1"], ..Self::new(method, path) }
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
        let answer =
            exchange::call(self.request(call)?, BOUNDS).await.map_err(|it| self.advice(it))?;
        anyhow::ensure!(answer.is_whole, "the answer broke off");
        Ok((answer.status, answer.body))
    }

    /// Makes the call; an answer that is no success is an error with the server's words.
    pub(crate) async fn call(&self, call: Call) -> anyhow::Result<Bytes> {
        let (status, body) = self.ask(call).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body).into()) }
    }

    fn request(&self, call: Call) -> anyhow::Result<Outgoing> {
        let mut request = Outgoing::new(call.method.clone(), self.address(&call)?);
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers.insert(AUTHORIZATION, value(&format!("Bearer {}", self.token))?);
        if call.body.is_some() {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = call.idempotency_key {
            request.headers.insert("idempotency-key", value(&key)?);
        }
        Ok(request.body(call.body.unwrap_or_default()))
    }

    fn address(&self, call: &Call) -> anyhow::Result<Url> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("{} is not a server's URL", self.url))?
            .pop_if_empty()
            .extend(call.root)
            .extend(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn advice(&self, failure: NoAnswer) -> anyhow::Error {
        let NoAnswer::Unreachable { source, .. } = failure else { return failure.into() };
        Advice {
            message: format!("{} cannot be reached", self.url),
            hint: "start a server with `postrider serve`, or name it with --url or POSTRIDER_URL"
                .to_owned(),
            source: Some(source.into()),
        }
        .into()
    }
}

fn value(text: &str) -> anyhow::Result<HeaderValue> {
    HeaderValue::from_str(text)
        .context("the token or the key holds characters that a header cannot hold")
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
