//! Makes calls over HTTP/1.1 and HTTP/2.

mod fetch;

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use postrider::provider::KeyRequest;
use postrider_core::{
    address::Policy,
    delivery::Response,
    outcome::{Failure, Outcome},
    proxy::NoProxy,
    time::Timestamp,
};
use rustls_pki_types::CertificateDer;
use tokio::time::Instant;

use super::{
    Call, Report, Sender,
    connect::{Connector, Stream},
    pool::{Connection, Place, Pool, Protocol},
    resolve::Group,
};
use crate::FetchError;

pub use super::{
    proxy::{Proxy, ProxyProtocol},
    resolve::Dns,
};

/// Most bytes of an answer's body that are kept.
const BODY_KEPT: usize = 16 << 10;

/// Most bytes of headers that an answer may have.
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

/// A call that got no answer.
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

/// An answer as far as it is kept.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    address: SocketAddr,
}

impl HttpSender {
    /// A sender; the system's certificates are read now, and the well-known ones are used
    /// where there are none.
    pub fn new(options: Options) -> Self {
        let pool = Pool::new(options.idle_connections, options.idle_timeout);
        let connector = Connector::new(&options);
        Self { options, connector, pool: Arc::new(pool) }
    }

    async fn exchange(&self, call: &Call) -> Result<Answered, Failed> {
        let place = Place::of(&call.prepared.url);
        if let Some(connection) = self.pool.take(&place) {
            match self.request(call, &place, connection).await {
                // The receiver closed the connection while it was idle: it never read the
                // request, or may read it twice, which at least once allows.
                Err(failed) if failed.failure == Failure::Protocol => {},
                answered => return answered,
            }
        }
        // Connecting is rare and its future large; boxed, it does not weigh on every call.
        let connection = Box::pin(self.connect(call)).await?;
        self.request(call, &place, connection).await
    }

    async fn connect(&self, call: &Call) -> Result<Connection, Failed> {
        let url = &call.prepared.url;
        let group = Group::Application(call.message.application);
        let (stream, address) = self.connector.connect(url, group).await?;
        let with_address = |failed: Failed| Failed { address: Some(address), ..failed };
        let protocol = self.handshake(stream).await.map_err(with_address)?;
        Ok(Connection { address, protocol })
    }

    /// Begins to speak HTTP on a connection, in the version that TLS agreed on.
    async fn handshake(&self, stream: Stream) -> Result<Protocol, Failed> {
        let is_http2 = stream.is_http2();
        let io = TokioIo::new(stream);
        if is_http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_secs(30))
                .max_header_list_size(HEADERS_MAX)
                .handshake(io)
                .await
                .map_err(protocol)?;
            // How a connection ends is told to the calls on it.
            self.pool.spawn(async move { drop(connection.await) });
            return Ok(Protocol::Http2(sender));
        }
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEADERS_MAX as usize)
            .handshake(io)
            .await
            .map_err(protocol)?;
        self.pool.spawn(async move { drop(connection.await) });
        Ok(Protocol::Http1(sender))
    }

    /// Sends the request on a connection, reads the answer, and keeps the connection if it
    /// can be used again.
    async fn request(
        &self,
        call: &Call,
        place: &Place,
        connection: Connection,
    ) -> Result<Answered, Failed> {
        let address = connection.address;
        let with_address = |failed: Failed| Failed { address: Some(address), ..failed };
        let mut request =
            call.prepared.request(&call.message, call.body.clone(), call.at).map(Full::new);
        let forwarding = self.connector.forwarding(&call.prepared.url);
        if let Some(proxy) = forwarding {
            proxy.address_request(&mut request, &call.prepared.absolute);
        }
        match connection.protocol {
            Protocol::Http1(mut sender) => {
                let response = async {
                    sender.ready().await.map_err(protocol)?;
                    sender.send_request(request).await.map_err(protocol)
                };
                let response = response.await.map_err(with_address)?;
                forwarding.map_or(Ok(()), |proxy| proxy.check_response(response.status()))?;
                let (answered, is_whole) = read(response, address).await.map_err(with_address)?;
                if is_whole {
                    self.pool.put(place, Connection { address, protocol: Protocol::Http1(sender) });
                }
                Ok(answered)
            },
            Protocol::Http2(mut sender) => {
                let request = absolute(request, call);
                let response = sender.send_request(request).await.map_err(protocol);
                let response = response.map_err(with_address)?;
                if self.pool.take(place).is_none() {
                    self.pool.put(place, Connection { address, protocol: Protocol::Http2(sender) });
                }
                Ok(read(response, address).await.map_err(with_address)?.0)
            },
        }
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, call: Call) -> Report {
        let began = Instant::now();
        let limit = self.options.request_timeout;
        let result = match tokio::time::timeout(limit, self.exchange(&call)).await {
            Ok(result) => result,
            Err(_) => Err(Failed::new(
                Failure::Timeout,
                format!("no complete answer within {} ms", limit.as_millis()),
            )),
        };
        report(result, call.at, began.elapsed())
    }

    async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.fetch_once(request).await
    }
}

fn report(result: Result<Answered, Failed>, at: Timestamp, duration: Duration) -> Report {
    match result {
        Ok(answered) => Report {
            outcome: Outcome::Answered {
                status: answered.status,
                retry_after: retry_after(&answered.headers, at + duration),
            },
            response: Response { headers: kept(&answered.headers), body: answered.body },
            address: Some(answered.address),
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

/// Reads as much of the body as is kept; whether that was all of it.
async fn read(
    response: http::Response<Incoming>,
    address: SocketAddr,
) -> Result<(Answered, bool), Failed> {
    let (parts, mut body) = response.into_parts();
    let (mut kept, mut is_whole) = (BytesMut::new(), true);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(protocol)?.into_data() else { continue };
        let room = BODY_KEPT - kept.len();
        kept.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        if data.len() > room {
            is_whole = false;
            break;
        }
    }
    let status = parts.status.as_u16();
    Ok((Answered { status, headers: parts.headers, body: kept.freeze(), address }, is_whole))
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(pair).collect()
}

/// HTTP/2 names the host in the URI.
fn absolute(mut request: Request<Full<Bytes>>, call: &Call) -> Request<Full<Bytes>> {
    *request.uri_mut() = call.prepared.absolute.clone();
    request.headers_mut().remove(header::HOST);
    request
}

/// `Retry-After` as seconds, or as a date after `now` (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(Duration::from_millis(now.as_millis())))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn protocol(error: hyper::Error) -> Failed {
    let cause = std::error::Error::source(&error).map(|it| format!(": {it}")).unwrap_or_default();
    Failed::new(Failure::Protocol, format!("{error}{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |text: &str, expected: Option<u64>| {
            let headers = [(header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            let now = Timestamp::from_millis(1_445_412_480_000);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        };
        check("120", Some(120));
        check("Wed, 21 Oct 2015 07:28:30 GMT", Some(30));
        check("Wed, 21 Oct 2015 07:00:00 GMT", Some(0));
        check("soon", None);
        check("-5", None);
    }
}
