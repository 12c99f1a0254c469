//! A request to a source, as it came.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use postrider::provider::{Headers, Reply, Request, Source};
use postrider_core::{
    catalog::SourceResponse,
    message::{MAX_REJECTED_BODY, Rejection},
    time::Timestamp,
};
use postrider_engine::OpenSource;

use crate::{
    context::Context,
    memory::Reserved,
    settings::{Limits, SizeLimit},
};

/// Headers whose values are not kept with a rejected request.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-hook-secret"];

/// Most bytes of headers that are kept with a rejected request.
const MAX_HEADERS: usize = 16 << 10;

/// A request to a source, as it came.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) source: Arc<OpenSource>,
    pub(super) at: Timestamp,
    pub(super) method: Method,
    /// As the provider knows it.
    pub(super) url: String,
    pub(super) query: Option<String>,
    pub(super) raw_headers: HeaderMap,
    pub(super) body: Bytes,
    /// The memory that it takes, for as long as it does.
    pub(super) reserved: Reserved,
}

impl Arrival {
    /// What is known before the body is read.
    pub(super) fn new(
        context: &Context,
        source: Arc<OpenSource>,
        parts: Parts,
        reserved: Reserved,
    ) -> Self {
        let base = match &source.source.public_url {
            Some(url) => url.clone(),
            None => context.settings.url(parts.uri.path()),
        };
        let query = parts.uri.query().map(ToOwned::to_owned);
        let url = match &query {
            Some(query) => format!("{base}?{query}"),
            None => base,
        };
        let at = context.engine.clock().now();
        let body = Bytes::new();
        Self {
            source,
            at,
            method: parts.method,
            url,
            query,
            raw_headers: parts.headers,
            body,
            reserved,
        }
    }

    /// Most bytes that its body may have.
    pub(super) fn limit(&self, limits: &Limits) -> SizeLimit {
        let of_source = self.source.source.max_body.and_then(|it| usize::try_from(it).ok());
        let chosen = match of_source {
            Some(bytes) => SizeLimit { bytes, setting: "maxBody of the source" },
            None => SizeLimit { bytes: limits.inbound_body, setting: "inbound.max_body" },
        };
        let bytes = limits.request_memory / 4;
        let part = SizeLimit { bytes, setting: "limits.request_memory / 4" };
        if chosen.bytes <= part.bytes { chosen } else { part }
    }

    pub(super) fn headers(&self) -> Vec<(&str, &[u8])> {
        self.raw_headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    pub(super) fn request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        Request {
            method: self.method.as_str(),
            url: &self.url,
            headers: Headers(headers),
            body: &self.body,
        }
    }

    /// The query, unless the provider's secret stands there.
    pub(super) fn shown_query(&self) -> Option<&String> {
        let is_query = |it: Source| matches!(it, Source::Query(_));
        let has_secret = self.source.provider.model.credentials().any(is_query);
        self.query.as_ref().filter(|_| !has_secret)
    }

    /// What is kept of the request if it is turned away, or dropped as a duplicate.
    pub(super) fn rejection(&self, context: &Context, status: u16, reason: String) -> Rejection {
        let mut room = MAX_HEADERS;
        let mut headers = Vec::new();
        for (name, value) in &self.raw_headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else { break };
            if !SECRET.contains(&name.as_str()) {
                headers.push((name.to_string(), value));
                room = left;
            }
        }
        let query = self.shown_query().map_or_else(String::new, |it| format!("?{it}"));
        let length = self.body.len().min(MAX_REJECTED_BODY);
        Rejection {
            id: context.engine.clock().rejection_id(),
            source: self.source.source.id,
            status,
            reason,
            method: self.method.to_string(),
            target: format!("/in/{query}"),
            headers,
            // A copy, for a slice would keep all of a large body.
            body: Bytes::copy_from_slice(self.body.get(..length).unwrap_or_default()),
            duplicate_of: None,
        }
    }
}

/// The answer that the source's owner chose.
pub(super) fn chosen(response: &SourceResponse) -> Reply {
    let headers = response.headers.iter();
    Reply {
        status: response.status,
        headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        body: response.body.clone().into_bytes(),
    }
}
