//! A request to a source, as it was received.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use postrider::{
    RejectionId,
    provider::{Headers, Reply, Request, Selector, Settings},
};
use postrider_core::{
    catalog::SourceResponse,
    hops::{self, Hops, Loop},
    message::{MAX_REJECTED_BODY, Rejection},
    time::Timestamp,
};
use postrider_engine::OpenSource;

use super::context::Context;
use crate::{
    api::error::ApiError,
    http::memory::Reservation,
    offload::{self, Offload},
    settings::{Limits, SizeLimit},
    traces::RequestTrace,
};

/// Most bytes of headers that are stored with a rejection.
const MAX_HEADER_BYTES: usize = 16 << 10;

/// Bytes after the stored part of a body that are searched too, because a secret may begin in the
/// part and end behind it.
const OVERLAP: usize = 4 << 10;

/// A request to a source, as it was received.
#[derive(Debug)]
pub(super) struct InboundRequest {
    pub(super) source: Arc<OpenSource>,
    pub(super) at: Timestamp,
    pub(super) method: Method,
    /// The URL that the provider called, which some signatures cover.
    pub(super) url: String,
    pub(super) query: Option<String>,
    pub(super) raw_headers: HeaderMap,
    pub(super) body: Bytes,
    /// The hop counter for the deliveries of this request.
    pub(super) hops: String,
    /// The rejection that an operator accepts, if it is not a new request.
    pub(super) rejection: Option<RejectionId>,
    pub(super) trace: Option<Arc<RequestTrace>>,
    /// The memory that the request takes.
    pub(super) reserved: Reservation,
}

/// The parts of a request that matter here.
#[derive(Debug)]
pub(super) struct RequestParts {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
}

impl From<Parts> for RequestParts {
    fn from(parts: Parts) -> Self {
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(ToOwned::to_owned),
            headers: parts.headers,
        }
    }
}

impl InboundRequest {
    /// The request before its body is read.
    pub(super) fn new(
        context: &Context,
        source: Arc<OpenSource>,
        parts: RequestParts,
        reserved: Reservation,
    ) -> Self {
        let base = match &source.public_url {
            Some(url) => url.clone(),
            None => context.settings.url(&parts.path),
        };
        let query = parts.query;
        let url = match &query {
            Some(query) => format!("{base}?{query}"),
            None => base,
        };
        let at = context.engine.clock().now();
        Self {
            source,
            at,
            method: parts.method,
            url,
            query,
            raw_headers: parts.headers,
            body: Bytes::new(),
            hops: String::new(),
            rejection: None,
            trace: None,
            reserved,
        }
    }

    /// Increments the hop counter, unless the request went through Postrider too often: such a
    /// request is part of a loop.
    pub(super) fn count_hop(&mut self, hops: &Hops) -> Result<(), Loop> {
        let received = self.raw_headers.get_all(hops::HEADER).iter();
        self.hops = hops.next(received.filter_map(|it| it.to_str().ok()))?;
        Ok(())
    }

    /// Largest permitted body, and the setting to name in the error. One request may not take more
    /// than a quarter of the memory for all requests.
    pub(super) fn limit(&self, limits: &Limits) -> SizeLimit {
        let of_source = self.source.source.max_body.and_then(|it| usize::try_from(it).ok());
        let chosen = match of_source {
            Some(bytes) => SizeLimit { bytes, setting: "maxBody of the source" },
            None => SizeLimit { bytes: limits.inbound_body, setting: "inbound.max_body" },
        };
        let max =
            SizeLimit { bytes: limits.request_memory / 4, setting: "limits.request_memory / 4" };
        if chosen.bytes <= max.bytes { chosen } else { max }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        self.raw_headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    /// Runs work on the request: here if the body is small, else on a blocking thread.
    ///
    /// The work gets references, so that small requests, which are nearly all, copy neither the
    /// settings nor their secrets.
    pub(super) async fn process<T: Send + 'static>(
        self: &Arc<Self>,
        offload: &Offload,
        settings: &Settings,
        work: impl FnOnce(&Self, &Settings, &Request<'_>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        if !offload::is_large(&self.body) {
            return Ok(work(self, settings, &self.as_provider_request(&self.headers())));
        }
        let (request, settings) = (Arc::clone(self), settings.clone());
        let work =
            move || work(&request, &settings, &request.as_provider_request(&request.headers()));
        offload.run(work).await
    }

    fn as_provider_request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        Request {
            method: self.method.as_str(),
            url: &self.url,
            headers: Headers(headers),
            body: &self.body,
        }
    }

    /// The query, unless it contains a signature or a secret.
    pub(super) fn query_without_secrets(&self) -> Option<&String> {
        let is_query = |it: Selector| matches!(it, Selector::Query(_));
        let has_secret = self.source.transmitted.has_query()
            || self.source.provider.model.credentials().any(is_query);
        self.query.as_ref().filter(|it| !has_secret && !self.contains_secret(it))
    }

    /// Whether the text contains a secret of the source or its token.
    pub(super) fn contains_secret(&self, text: &str) -> bool {
        self.source.secret_texts.are_in(text.as_bytes())
    }

    fn without_secrets(&self, text: String) -> String {
        let hidden = self.source.secret_texts.hide_in(text.as_bytes());
        hidden.map_or(text, |it| String::from_utf8_lossy(&it).into_owned())
    }

    /// The stored part of the body, without secrets.
    fn body_without_secrets(&self) -> Bytes {
        let end = self.body.len().min(MAX_REJECTED_BODY + OVERLAP);
        let part = self.body.get(..end).unwrap_or_default();
        let redacted = self.source.redaction.body(part);
        let part = redacted.as_deref().unwrap_or(part);
        let redacted = self.source.secret_texts.hide_in(part);
        let part = redacted.as_deref().unwrap_or(part);
        // A copy, because a slice would keep all of a large body in memory.
        Bytes::copy_from_slice(part.get(..MAX_REJECTED_BODY).unwrap_or(part))
    }

    /// The entry in the source's log for a request that is rejected, or is a duplicate.
    pub(super) fn rejection(&self, context: &Context, status: u16, reason: String) -> Rejection {
        let mut bytes_left = MAX_HEADER_BYTES;
        let mut headers = Vec::new();
        for (name, value) in &self.raw_headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let Some(left) = bytes_left.checked_sub(name.as_str().len() + value.len()) else {
                break;
            };
            let value = self.source.redaction.header(name.as_str(), value);
            headers.push((name.to_string(), self.without_secrets(value)));
            bytes_left = left;
        }
        let query = self.query.as_ref().map(|it| format!("?{}", self.source.redaction.query(it)));
        let query = self.without_secrets(query.unwrap_or_default());
        Rejection {
            id: context.engine.clock().rejection_id(),
            source: self.source.source.id,
            status,
            reason: self.without_secrets(reason),
            method: self.method.to_string(),
            target: format!("/in/{query}"),
            headers,
            body: self.body_without_secrets(),
            duplicate_of: None,
        }
    }
}

/// The reply that is configured for the source.
pub(crate) fn configured_reply(response: &SourceResponse) -> Reply {
    let headers = response.headers.iter();
    Reply {
        status: response.status,
        headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        body: response.body.clone().into_bytes(),
    }
}
