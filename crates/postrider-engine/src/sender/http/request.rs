//! Requests of kinds whose services speak HTTP: any method, and the whole response.

use std::{fmt, net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
};
use postrider_core::{outcome::Failure, target::Target};
use url::{Position, Url};

use super::{
    handshake::handshake, limits::HEADERS_MAX, progress::connection_error, recorder::Recorder,
    unread::is_unread,
};
use crate::sender::{
    connect::Connector,
    error::CallError,
    guard_error::GuardError,
    origin::Origin,
    pool::{Connection, Pool, PoolKey, Protocol},
    tls::TlsSettings,
};

/// A request to a service.
#[derive(Clone)]
pub struct ServiceRequest {
    pub method: Method,
    /// Without user name and password.
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Only these certificates (PEM) are trusted, instead of the installation's.
    pub trusted: Option<Arc<str>>,
    /// Most bytes of the response's body.
    pub max_response: usize,
}

impl fmt::Debug for ServiceRequest {
    /// Paths and headers may contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRequest")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// The response of a service, whatever its status is.
#[derive(Clone, Debug)]
pub struct ServiceResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The address that was called.
    pub address: SocketAddr,
}

/// Sends requests to services, on pooled connections to addresses that were checked. It has no
/// time limit of its own.
#[derive(Clone, Debug)]
pub struct HttpClient {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
}

/// How much of a response's body is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// All of it. It is an error if it is too long or breaks off.
    Whole,
    /// As much as there is, up to the limit.
    Beginning,
}

/// A request without a complete response.
struct Failed {
    error: CallError,
    /// There is no sign that the service has read the request.
    is_unread: bool,
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self { error, is_unread: false }
    }
}

impl HttpClient {
    pub(in crate::sender) const fn new(connector: Arc<Connector>, pool: Arc<Pool>) -> Self {
        Self { connector, pool }
    }

    /// Sends a request on behalf of an endpoint, or of a queue source, and reads the response,
    /// whose body must not be longer than allowed.
    ///
    /// A request on a connection that the service closed while it was idle is sent again.
    pub async fn request(
        &self,
        request: &ServiceRequest,
        target: Option<&Target>,
    ) -> Result<ServiceResponse, GuardError> {
        Ok(self.send(request, target, Wanted::Whole).await?)
    }

    /// As [`Self::request`], but keeps the beginning of a body that is too long or breaks off. The
    /// status says enough.
    pub(in crate::sender) async fn request_status(
        &self,
        request: &ServiceRequest,
        target: &Target,
    ) -> Result<ServiceResponse, GuardError> {
        Ok(self.send(request, Some(target), Wanted::Beginning).await?)
    }

    /// Connects to the host of a URL without sending a request.
    pub(in crate::sender) async fn reach(
        &self,
        url: &Url,
        target: &Target,
    ) -> Result<SocketAddr, GuardError> {
        self.connector.check_scheme(url)?;
        let connecting =
            self.connector.connect(url, Origin::of(Some(target)), TlsSettings::default());
        Ok(Box::pin(connecting).await?.address)
    }

    async fn send(
        &self,
        request: &ServiceRequest,
        target: Option<&Target>,
        wanted: Wanted,
    ) -> Result<ServiceResponse, CallError> {
        self.connector.check_scheme(&request.url)?;
        let key = PoolKey::new(&request.url, request.trusted.clone());
        if let Some(connection) = self.pool.take(&key) {
            match self.exchange(connection, &key, request, wanted).await {
                Err(Failed { is_unread: true, .. }) => {},
                // Some servers send 408 when they close an idle connection.
                Ok(response) if response.status == StatusCode::REQUEST_TIMEOUT => {},
                ended => return ended.map_err(|failed| failed.error),
            }
        }
        let connection = Box::pin(self.connect(request, target)).await?;
        self.exchange(connection, &key, request, wanted).await.map_err(|failed| failed.error)
    }

    async fn connect(
        &self,
        request: &ServiceRequest,
        target: Option<&Target>,
    ) -> Result<Connection, CallError> {
        let tls = TlsSettings::trusting(request.trusted.as_deref());
        let opened = self.connector.connect(&request.url, Origin::of(target), tls).await?;
        let address = Some(opened.address);
        handshake(&self.pool, opened).await.map_err(|error| CallError { address, ..error })
    }

    async fn exchange(
        &self,
        connection: Connection,
        key: &PoolKey,
        request: &ServiceRequest,
        wanted: Wanted,
    ) -> Result<ServiceResponse, Failed> {
        let (address, budget) = (connection.address, connection.budget.clone());
        let ended = self.exchange_on(connection, key, request, wanted).await;
        ended.map_err(|failed| {
            let exceeded = budget.exceeded();
            let is_unread = failed.is_unread && exceeded.is_none();
            let error =
                exceeded.map_or(failed.error, |reason| CallError::new(Failure::Protocol, reason));
            Failed { error: CallError { address: Some(address), ..error }, is_unread }
        })
    }

    async fn exchange_on(
        &self,
        connection: Connection,
        key: &PoolKey,
        request: &ServiceRequest,
        wanted: Wanted,
    ) -> Result<ServiceResponse, Failed> {
        let Connection { address, protocol, budget, open } = connection;
        let expected = request.max_response + HEADERS_MAX as usize;
        match protocol {
            Protocol::Http1(mut sender, recorder) => {
                budget.renew_for(expected);
                let response = self.send_http1(&mut sender, &recorder, request).await?;
                let (head, body) = response.into_parts();
                let (body, is_whole) = read(body, request.max_response, wanted).await?;
                if recorder.finish() && is_whole {
                    let protocol = Protocol::Http1(sender, recorder);
                    self.pool.put(key, Connection { address, protocol, budget, open });
                }
                Ok(ServiceResponse { status: head.status, headers: head.headers, body, address })
            },
            Protocol::Http2(mut sender) => {
                budget.extend(request.body.len() + expected);
                let response = send_http2(&mut sender, request).await?;
                if self.pool.take(key).is_none() {
                    let (protocol, open) = (Protocol::Http2(sender), open.clone());
                    self.pool.put(key, Connection { address, protocol, budget, open });
                }
                let (head, body) = response.into_parts();
                let (body, _) = read(body, request.max_response, wanted).await?;
                Ok(ServiceResponse { status: head.status, headers: head.headers, body, address })
            },
        }
    }

    async fn send_http1(
        &self,
        sender: &mut http1::SendRequest<Full<Bytes>>,
        recorder: &Recorder,
        request: &ServiceRequest,
    ) -> Result<Response<Incoming>, Failed> {
        let mut message = message(request, Position::BeforePath)?;
        let host = &request.url[Position::BeforeHost..Position::AfterPort];
        let host = host.parse().map_err(|_| malformed())?;
        message.headers_mut().insert(header::HOST, host);
        let proxy = self.connector.forwarding(&request.url);
        if let Some(proxy) = proxy {
            proxy.address_request(&mut message, &uri(&request.url, Position::BeforeScheme)?);
        }
        recorder.begin();
        let response = async {
            sender.ready().await?;
            sender.send_request(message).await
        };
        let response = response.await.map_err(|error| Failed {
            error: connection_error(&error),
            is_unread: !recorder.lock().has_begun,
        })?;
        if let Some(proxy) = proxy {
            proxy.check_response(response.status())?;
        }
        Ok(response)
    }
}

async fn send_http2(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    request: &ServiceRequest,
) -> Result<Response<Incoming>, Failed> {
    let message = message(request, Position::BeforeScheme)?;
    sender
        .send_request(message)
        .await
        .map_err(|error| Failed { error: connection_error(&error), is_unread: is_unread(&error) })
}

fn message(request: &ServiceRequest, begin: Position) -> Result<Request<Full<Bytes>>, CallError> {
    let mut message = Request::new(Full::new(request.body.clone()));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = uri(&request.url, begin)?;
    *message.headers_mut() = request.headers.clone();
    Ok(message)
}

fn uri(url: &Url, begin: Position) -> Result<Uri, CallError> {
    url[begin..Position::AfterQuery].parse().map_err(|_| malformed())
}

fn malformed() -> CallError {
    CallError::new(Failure::Misconfigured, "the URL is not valid; correct it")
}

/// Reads a body; with whether it was read to its end.
async fn read(
    mut incoming: Incoming,
    max: usize,
    wanted: Wanted,
) -> Result<(Bytes, bool), CallError> {
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let error = match frame.map(Frame::into_data) {
            Ok(Ok(data)) if body.len() + data.len() <= max => {
                body.extend_from_slice(&data);
                continue;
            },
            Ok(Ok(data)) => {
                body.extend_from_slice(&data.slice(..max - body.len()));
                let reason = format!("the response is longer than {max} bytes");
                CallError::new(Failure::Protocol, reason)
            },
            // Trailers.
            Ok(Err(_)) => continue,
            Err(error) => connection_error(&error),
        };
        return match wanted {
            Wanted::Whole => Err(error),
            Wanted::Beginning => Ok((body.freeze(), false)),
        };
    }
    Ok((body.freeze(), true))
}
