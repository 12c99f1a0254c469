//! Makes calls over HTTP/1.1 and HTTP/2.

mod exchange;
mod fetch;
mod frames;
mod head;
mod progress;
mod tap;

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, header};
use postrider::provider::KeyRequest;
use postrider_core::{
    address::Policy,
    delivery::Response,
    outcome::{Failure, Outcome},
    proxy::NoProxy,
    retry_after,
    time::Timestamp,
};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use self::progress::{Answered, Progress};
pub(super) use self::tap::Recorder;
use super::{Call, Report, Sender, connect::Connector, pool::Pool};
use crate::FetchError;

pub use super::{
    allowance::ResponseLimits,
    proxy::{Proxy, ProxyProtocol},
    resolve::Dns,
};

/// Most bytes of a response's body that are kept.
const BODY_KEPT: usize = 16 << 10;

/// Most bytes of a response's headers that are kept, and that are read over HTTP/1. Over HTTP/2
/// a larger block cannot be cut, only refused, so more is read.
const HEADERS_MAX: u32 = 64 << 10;

/// How calls are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// For everything: resolving, connecting, headers and body.
    pub request_timeout: Duration,
    pub addresses: Policy,
    pub dns: Dns,
    pub proxy: Option<Proxy>,
    /// Hosts that are called without the proxy.
    pub no_proxy: NoProxy,
    /// Certificates of authorities that are trusted beside the system's.
    pub trusted: Vec<CertificateDer<'static>>,
    /// What receivers may send.
    pub responses: ResponseLimits,
    /// Most idle connections, and how long one may be idle.
    pub idle_connections: usize,
    pub idle_timeout: Duration,
}

/// Makes calls over HTTP/1.1 and HTTP/2, on pooled connections.
#[derive(Debug)]
pub struct HttpSender {
    options: Options,
    connector: Connector,
    pool: Arc<Pool>,
}

/// A call that got no response.
#[derive(Debug)]
pub(super) struct Failed {
    pub failure: Failure,
    pub reason: Cow<'static, str>,
    pub address: Option<SocketAddr>,
}

impl Failed {
    pub(super) fn new(failure: Failure, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { failure, reason: reason.into(), address: None }
    }
}

impl HttpSender {
    /// A sender; the system's certificates are read now, and the well-known ones are used
    /// where there are none.
    pub fn new(options: Options) -> Self {
        let pool = Pool::new(options.idle_connections, options.idle_timeout);
        let connector = Connector::new(&options);
        Self { options, connector, pool: Arc::new(pool) }
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, call: Call) -> Report {
        let began = Instant::now();
        let limit = self.options.request_timeout;
        let mut progress = Progress::default();
        let ended = tokio::time::timeout(limit, self.exchange(&call, &mut progress)).await;
        let ended = ended.unwrap_or_else(|_| {
            let reason = format!("no complete response within {} ms", limit.as_millis());
            Err(Failed::new(Failure::Timeout, reason))
        });
        let (address, duration) = (progress.address, began.elapsed());
        report(progress.end(ended), address, call.at, duration)
    }

    async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.fetch_once(request).await
    }
}

fn report(
    ended: Result<Answered, Failed>,
    address: Option<SocketAddr>,
    at: Timestamp,
    duration: Duration,
) -> Report {
    match ended {
        Ok(Answered { status, headers, body, note }) => Report {
            outcome: Outcome::Answered { status, retry_after: wait(&headers, at + duration) },
            response: Response { headers: kept(&headers), body }.noted(note),
            address,
            duration,
        },
        Err(failed) => Report {
            outcome: Outcome::Unanswered(failed.failure),
            response: Response {
                headers: Vec::new(),
                body: Bytes::from(failed.reason.into_owned().into_bytes()),
            },
            address: failed.address,
            duration,
        },
    }
}

/// Headers in their order, as many as fit.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = HEADERS_MAX as usize;
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let fits = |(name, value): &(String, String)| {
        let size = name.len() + value.len();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    headers.iter().map(pair).take_while(fits).collect()
}

fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after::parse(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}
