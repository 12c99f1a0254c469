//! Forwards one request to the program on this machine, prints the result and logs the request.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use postrider::listen::{RelayedRequest, RelayedResponse, append_header, is_hop_by_hop};
use tokio::time::Instant;
use url::Url;

use super::{
    render,
    request_log::{LoggedRequest, RequestLog},
    target,
};
use crate::{
    exchange::{self, Bounds, CallError, Outgoing},
    output,
};

/// How long the program may take; less than the server waits by default, so that the sender
/// receives our response and not the server's.
const TIMEOUT: Duration = Duration::from_secs(28);

const REDIRECT: &str = "redirects are neither followed nor passed on";

/// The program's response, or the one that is sent in its place.
#[derive(Debug)]
pub(in super::super) struct ProgramResponse {
    pub status: u16,
    headers: BTreeMap<String, String>,
    body: Bytes,
    /// Why the program did not respond, or why its response is not passed on.
    problem: Option<String>,
}

/// Forwards requests to one URL.
#[derive(Clone, Debug)]
pub(in super::super) struct Forwarder {
    pub forward: Url,
    pub log: RequestLog,
}

impl Forwarder {
    /// Forwards the request, prints the result and logs the request; the response for the server.
    pub(super) async fn handle(
        &self,
        request: RelayedRequest,
        source: Option<&str>,
        response_bytes: usize,
    ) -> anyhow::Result<RelayedResponse> {
        let (response, duration) = self.forward(&request, response_bytes).await?;
        let relayed = RelayedResponse {
            id: request.id.clone(),
            status: response.status,
            body: BASE64_STANDARD.encode(&response.body),
            headers: response.headers,
        };
        let logged = LoggedRequest {
            at: u64::try_from(super::super::now()?.as_millis())?,
            event_type: render::event_type(&request),
            request,
            source: source.map(str::to_owned),
            forward: self.forward.to_string(),
            status: relayed.status,
            duration_ms: u64::try_from(duration.as_millis())?,
        };
        self.log.add(&logged)?;
        Ok(relayed)
    }

    /// Forwards the request and prints the result.
    pub(in super::super) async fn forward(
        &self,
        request: &RelayedRequest,
        response_bytes: usize,
    ) -> anyhow::Result<(ProgramResponse, Duration)> {
        let started_at = Instant::now();
        let response = match self.outgoing(request) {
            Ok(outgoing) => call(outgoing, response_bytes).await,
            Err(problem) => ProgramResponse::rejected(problem),
        };
        let duration = started_at.elapsed();
        output::line(render::line(
            super::super::now()?,
            request,
            (response.status, duration),
            response.problem.as_deref(),
        ))?;
        Ok((response, duration))
    }

    fn outgoing(&self, request: &RelayedRequest) -> Result<Outgoing, String> {
        let method = Method::try_from(request.method.as_str());
        let method = method.map_err(|_| format!("`{}` is not a method", request.method))?;
        let body = BASE64_STANDARD.decode(&request.body);
        let body = body.map_err(|_| "the body is not base 64".to_owned())?;
        let mut outgoing =
            Outgoing::new(method, target::below(&self.forward, &request.target)?).body(body);
        for (name, value) in &request.headers {
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            let Ok(value) = HeaderValue::try_from(value.as_str()) else { continue };
            if !is_hop_by_hop(name.as_str()) {
                outgoing.headers.append(name, value);
            }
        }
        Ok(outgoing)
    }
}

impl ProgramResponse {
    fn failed(status: u16, problem: String) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())]);
        // The sender must not learn anything about this machine, so the problem is only printed.
        let body = Bytes::from_static(b"the listener's program did not respond");
        Self { status, headers, body, problem: Some(problem) }
    }

    /// The request was not forwarded.
    fn rejected(problem: String) -> Self {
        let body = Bytes::from_static(b"the request cannot be forwarded to the listener's program");
        Self { body, ..Self::failed(400, problem) }
    }
}

async fn call(outgoing: Outgoing, response_bytes: usize) -> ProgramResponse {
    match exchange::call(outgoing, Bounds { timeout: TIMEOUT, response_bytes }).await {
        Ok(response) if !response.is_whole => {
            let problem =
                format!("the response is incomplete or larger than {response_bytes} bytes");
            ProgramResponse::failed(502, problem)
        },
        Ok(response) => ProgramResponse {
            status: response.status.as_u16(),
            headers: relayed_headers(&response.headers),
            body: response.body,
            problem: response.status.is_redirection().then(|| REDIRECT.to_owned()),
        },
        Err(error) => {
            let status = if matches!(error, CallError::TimedOut(_)) { 504 } else { 502 };
            ProgramResponse::failed(status, format!("{:#}", anyhow::Error::from(error)))
        },
    }
}

/// The headers that the protocol can carry: text, and no cookies, which would be set for the
/// server's host name.
fn relayed_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut relayed = BTreeMap::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if !is_hop_by_hop(name.as_str()) && name != header::SET_COOKIE {
            append_header(&mut relayed, name.to_string(), value);
        }
    }
    relayed
}
