//! Makes calls over HTTP/1.1 and HTTP/2.

mod check;
mod exchange;
mod fetch;
mod frames;
mod handshake;
mod head;
mod limits;
mod post;
mod progress;
mod recorded_stream;
pub(super) mod recorder;
pub(super) mod request;
mod unread;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use postrider::{ApplicationId, provider::KeyRequest};
use postrider_core::{
    delivery::Response,
    message::Message,
    outcome::{Failure, Outcome},
    request::Prepared,
    retry_after,
    target::Target,
    time::Timestamp,
};
use tokio::time::Instant;

use self::{
    limits::HEADERS_MAX,
    progress::{Progress, ReceivedResponse},
    request::HttpClient,
};
use super::{
    Call, FetchError, Guard, Report, Sender, connect::Connector, error::CallError,
    options::SenderOptions, pool::Pool,
};

/// One call over HTTP.
struct HttpCall<'a> {
    prepared: &'a Prepared,
    application: ApplicationId,
    /// The message that is delivered, and when it is signed; `None` for other requests.
    message: Option<(&'a Message, Timestamp)>,
    body: &'a Bytes,
}

impl<'a> HttpCall<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        Some(Self {
            prepared: call.target.http()?,
            application: call.message.application,
            message: Some((&call.message, call.at)),
            body: &call.body,
        })
    }

    fn request(&self) -> Request<Bytes> {
        match self.message {
            Some((message, at)) => self.prepared.request(message, self.body.clone(), at),
            None => self.prepared.plain_request(self.body.clone()),
        }
    }
}

/// Makes calls over HTTP/1.1 and HTTP/2, on pooled connections.
#[derive(Debug)]
pub struct HttpSender {
    options: SenderOptions,
    connector: Arc<Connector>,
    pool: Arc<Pool>,
}

impl HttpSender {
    /// A sender. It reads the system's certificates once; if there are none, it uses those of
    /// Mozilla.
    pub fn new(options: SenderOptions) -> Self {
        let pool = Pool::new(options.idle_connections, options.idle_timeout);
        let connector = Connector::new(&options);
        Self { options, connector: Arc::new(connector), pool: Arc::new(pool) }
    }

    /// The address guard, for connections that are not HTTP.
    pub fn guard(&self) -> Guard {
        let http = HttpClient::new(Arc::clone(&self.connector), Arc::clone(&self.pool));
        Guard::new(Arc::clone(&self.connector), http)
    }

    /// Makes the call within the time limit.
    async fn timed_exchange(
        &self,
        call: &HttpCall<'_>,
        progress: &mut Progress,
    ) -> Result<(), CallError> {
        let limit = self.options.request_timeout;
        let ended = tokio::time::timeout(limit, self.exchange(call, progress)).await;
        ended.unwrap_or_else(|_| {
            let reason = format!("no complete response within {} ms", limit.as_millis());
            Err(CallError::new(Failure::Timeout, reason))
        })
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, call: Call) -> Report {
        let at = call.at;
        let Some(call) = HttpCall::of(&call) else {
            return Report::failed(
                Failure::Protocol,
                "internal error: this is not called over HTTP",
            );
        };
        let began = Instant::now();
        let mut progress = Progress::default();
        let ended = self.timed_exchange(&call, &mut progress).await;
        let (address, duration) = (progress.address, began.elapsed());
        report(progress.end(ended), address, at, duration)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        self.check_once(&target).await
    }

    async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.fetch_once(request).await
    }
}

fn report(
    ended: Result<ReceivedResponse, CallError>,
    address: Option<SocketAddr>,
    at: Timestamp,
    duration: Duration,
) -> Report {
    match ended {
        Ok(ReceivedResponse { status, headers, body, note }) => Report {
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

/// As many headers as fit into the limit, in their order.
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
