//! Makes calls over HTTP/1.1 and HTTP/2.

mod authorized;
mod check;
mod exchange;
mod fetch;
mod frames;
mod handshake;
mod head;
mod limits;
mod progress;
mod recorded_stream;
pub(super) mod recorder;
pub(super) mod request;
mod unread;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use postrider::{EndpointId, provider::KeyRequest};
use postrider_core::{
    batch_request,
    delivery::Response,
    message::Message,
    outcome::{Failure, Outcome},
    request::Prepared,
    retry_after,
    target::Target,
    time::Timestamp,
    trace::TraceContext,
};
use tokio::time::Instant;

use self::{
    limits::HEADERS_MAX,
    progress::{Progress, ReceivedResponse},
    request::HttpClient,
};
use super::{
    Call, FetchError, Grants, Guard, Report, Sender,
    connect::Connector,
    error::CallError,
    expiry::{ExpiringCertificates, ExpiryLog},
    oauth::AccessTokens,
    options::SenderOptions,
    pool::Pool,
};

/// One call over HTTP.
#[derive(Clone, Copy)]
struct HttpCall<'a> {
    prepared: &'a Prepared,
    message: &'a Message,
    /// The messages of a batch.
    batch: &'a [Arc<Message>],
    body: &'a Bytes,
    /// When it is signed.
    at: Timestamp,
    /// The `Authorization` header with an access token.
    authorization: Option<&'a HeaderValue>,
    /// The trace context to forward.
    trace: Option<&'a TraceContext>,
}

impl<'a> HttpCall<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let Call { target, message, batch, body, at, trace } = call;
        let (prepared, trace) = (target.http()?, trace.as_deref());
        Some(Self { prepared, message, batch, body, at: *at, authorization: None, trace })
    }

    fn request(&self) -> Request<Bytes> {
        let body = self.body.clone();
        let mut request = if self.batch.is_empty() {
            self.prepared.request(self.message, body, self.at)
        } else {
            let id = batch_request::id(self.batch.iter().map(|it| &it.id));
            self.prepared.batch_request(&id, body, self.at)
        };
        if let Some(authorization) = self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(trace) = self.trace {
            trace.set_headers(request.headers_mut());
        }
        request
    }
}

/// The request of a call over HTTP, without an access token.
pub(super) fn request_of(call: &Call) -> Option<Request<Bytes>> {
    HttpCall::of(call).map(|call| call.request())
}

/// Makes calls over HTTP/1.1 and HTTP/2, on pooled connections.
#[derive(Debug)]
pub struct HttpSender {
    options: SenderOptions,
    connector: Arc<Connector>,
    pool: Arc<Pool>,
    tokens: AccessTokens,
    expiry: ExpiryLog,
}

impl HttpSender {
    /// A sender. It reads the system's certificates once; if there are none, it uses those of
    /// Mozilla.
    pub fn new(options: SenderOptions) -> Self {
        let pool = Pool::new(options.idle_connections, options.idle_timeout);
        let (connector, pool) = (Arc::new(Connector::new(&options)), Arc::new(pool));
        let http = HttpClient::new(Arc::clone(&connector), Arc::clone(&pool));
        let tokens = AccessTokens::new(http, options.request_timeout);
        Self { options, connector, pool, tokens, expiry: ExpiryLog::default() }
    }

    /// The address guard, for connections that are not HTTP.
    pub fn guard(&self) -> Guard {
        let http = HttpClient::new(Arc::clone(&self.connector), Arc::clone(&self.pool));
        Guard::new(Arc::clone(&self.connector), http)
    }

    /// Makes the call within the time limit.
    pub(super) async fn deliver(&self, call: &Call) -> Report {
        let target = &call.target;
        let Some(call) = HttpCall::of(call) else {
            return Report::failed(
                Failure::Protocol,
                "internal error: this is not called over HTTP",
            );
        };
        let began = Instant::now();
        let limit = self.options.request_timeout;
        let mut progress = Progress::default();
        let ended = tokio::time::timeout(limit, self.run(target, call, &mut progress)).await;
        let ended = ended.unwrap_or_else(|_| {
            let reason = format!("no complete response within {} ms", limit.as_millis());
            Err(CallError::new(Failure::Timeout, reason))
        });
        let (address, duration) = (progress.address, began.elapsed());
        report(progress.end(ended), address, call.at, duration)
    }

    async fn run(
        &self,
        target: &Arc<Target>,
        call: HttpCall<'_>,
        progress: &mut Progress,
    ) -> Result<(), CallError> {
        match &call.prepared.oauth {
            None => self.exchange(call, progress).await,
            // In a box, so that it does not enlarge the future of every call.
            Some(client) => {
                Box::pin(self.authorized_exchange(target, client, call, progress)).await
            },
        }
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, call: Call) -> Report {
        self.deliver(&call).await
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        self.check_once(&target).await
    }

    fn attach(&self, grants: Arc<dyn Grants>) {
        self.tokens.attach(grants);
    }

    fn expiring_certificates(&self, now: Timestamp) -> ExpiringCertificates {
        self.expiry.expiring(now)
    }

    fn certificate_expiries(&self, now: Timestamp) -> Vec<(EndpointId, Timestamp)> {
        self.expiry.list(now)
    }

    fn idle_connections(&self) -> usize {
        self.pool.idle_connections()
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
            url: None,
            address,
            duration,
        },
        Err(failed) => Report {
            outcome: Outcome::Unanswered(failed.failure),
            response: Response {
                headers: Vec::new(),
                body: Bytes::from(failed.reason.into_owned().into_bytes()),
            },
            url: None,
            address: failed.address,
            duration,
        },
    }
}

/// As many headers as fit into the limit, in their order.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = HEADERS_MAX as usize;
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
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

/// What `Retry-After` asks for.
pub(super) fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after::parse(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}
