//! A request to a source, as it came.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use postrider::provider::{Headers, Reply, Request, Source};
use postrider_core::{
    catalog::SourceResponse,
    hops::{self, Hops, Loop},
    message::{MAX_REJECTED_BODY, Rejection},
    time::Timestamp,
};
use postrider_engine::OpenSource;

use crate::{
    context::Context,
    http::memory::Reservation,
    settings::{Limits, SizeLimit},
};

/// Most bytes of headers that are kept with a rejected request.
const MAX_HEADERS: usize = 16 << 10;

/// Bytes behind the part of a body that is kept, in which a secret may end that begins in it.
const OVERLAP: usize = 4 << 10;

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
    /// How often it has come through here, for its deliveries to carry.
    pub(super) hops: String,
    /// The memory that it takes, for as long as it does.
    pub(super) reserved: Reservation,
}

impl Arrival {
    /// What is known before the body is read.
    pub(super) fn new(
        context: &Context,
        source: Arc<OpenSource>,
        parts: Parts,
        reserved: Reservation,
    ) -> Self {
        let base = match &source.public_url {
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
            hops: String::new(),
            reserved,
        }
    }

    /// Counts one more passage, unless there were too many.
    pub(super) fn count_hop(&mut self, hops: &Hops) -> Result<(), Loop> {
        let came = self.raw_headers.get_all(hops::HEADER).iter();
        self.hops = hops.next(came.filter_map(|it| it.to_str().ok()))?;
        Ok(())
    }

    /// Most bytes that its body may have.
    pub(super) fn limit(&self, limits: &Limits) -> SizeLimit {
        let of_source = self.source.source.max_body.and_then(|it| usize::try_from(it).ok());
        let chosen = match of_source {
            Some(bytes) => SizeLimit { bytes, setting: "maxBody of the source" },
            None => SizeLimit { bytes: limits.inbound_body, setting: "inbound.max_body" },
        };
        let most =
            SizeLimit { bytes: limits.request_memory / 4, setting: "limits.request_memory / 4" };
        if chosen.bytes <= most.bytes { chosen } else { most }
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

    /// The query, unless the provider's signature or secret stands there.
    pub(super) fn shown_query(&self) -> Option<&String> {
        let is_query = |it: Source| matches!(it, Source::Query(_));
        let has_secret = self.source.transmitted.has_query()
            || self.source.provider.model.credentials().any(is_query);
        self.query.as_ref().filter(|it| !has_secret && !self.holds_secret(it))
    }

    /// Whether a secret of the source, or its token, is in the text.
    pub(super) fn holds_secret(&self, text: &str) -> bool {
        self.source.secret_texts.are_in(text.as_bytes())
    }

    fn without_secrets(&self, text: String) -> String {
        let hidden = self.source.secret_texts.hide_in(text.as_bytes());
        hidden.map_or(text, |it| String::from_utf8_lossy(&it).into_owned())
    }

    /// As much of the body as is kept, without secrets.
    fn shown_body(&self) -> Bytes {
        let end = self.body.len().min(MAX_REJECTED_BODY + OVERLAP);
        let begun = self.body.get(..end).unwrap_or_default();
        let hidden = self.source.redaction.body(begun);
        let begun = hidden.as_deref().unwrap_or(begun);
        let hidden = self.source.secret_texts.hide_in(begun);
        let begun = hidden.as_deref().unwrap_or(begun);
        // A copy, for a slice would keep all of a large body.
        Bytes::copy_from_slice(begun.get(..MAX_REJECTED_BODY).unwrap_or(begun))
    }

    /// What is kept of the request if it is turned away, or dropped as a duplicate.
    pub(super) fn rejection(&self, context: &Context, status: u16, reason: String) -> Rejection {
        let mut room = MAX_HEADERS;
        let mut headers = Vec::new();
        for (name, value) in &self.raw_headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else { break };
            let value = self.source.redaction.header(name.as_str(), value);
            headers.push((name.to_string(), self.without_secrets(value)));
            room = left;
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
            body: self.shown_body(),
            duplicate_of: None,
        }
    }
}

/// The answer that the source's owner chose.
pub(crate) fn chosen(response: &SourceResponse) -> Reply {
    let headers = response.headers.iter();
    Reply {
        status: response.status,
        headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        body: response.body.clone().into_bytes(),
    }
}
