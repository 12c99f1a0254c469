//! Sends a request and reads its response, on a pooled connection or on a new one.

use std::{error::Error, io, net::SocketAddr, time::Duration};

use super::{
    Failed, HEADERS_MAX, HttpSender,
    frames::FrameMeter,
    progress::{Progress, broken},
    tap::{Recorder, Tap},
};
use crate::sender::{
    Call,
    allowance::Allowance,
    connect::Stream,
    egress::Origin,
    meter::Metered,
    pool::{Connection, Place, Protocol},
    proxy::Proxy,
    resolve::Group,
};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use postrider_core::outcome::Failure;

/// Most headers of a response over HTTP/1.
const HEADER_COUNT_MAX: usize = 512;

/// What a receiver may send of a body before it is read, over HTTP/2. More than is kept of a
/// response is of no use.
const STREAM_WINDOW: u32 = 64 << 10;

/// The same for all responses on a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// A request that brought no response to its end.
pub(super) struct Broken {
    failed: Failed,
    /// The receiver gave no sign that it read the request.
    is_unread: bool,
}

impl Broken {
    /// A receiver that sent too much is not sent the request again.
    fn explained(self, allowance: &Allowance) -> Self {
        match allowance.exceeded() {
            Some(reason) => Failed::new(Failure::Protocol, reason).into(),
            None => self,
        }
    }
}

impl From<Failed> for Broken {
    fn from(failed: Failed) -> Self {
        Self { failed, is_unread: false }
    }
}

impl HttpSender {
    /// Makes the call; `progress` holds whatever is known when this ends, or is ended.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        let place = Place::of(&call.prepared);
        if let Some(connection) = self.pool.take(&place) {
            match self.request(call, &place, connection, progress).await {
                // The receiver closed the connection while it was idle, and most likely never
                // read the request. If it did, it gets it twice, which at least once allows.
                Err(Broken { is_unread: true, .. }) => *progress = Progress::default(),
                Ok(()) if progress.is_idle_timeout() => *progress = Progress::default(),
                ended => return ended.map_err(|it| it.failed),
            }
        }
        // Connecting is rare and its future large; boxed, it does not weigh on every call.
        let connection = Box::pin(self.connect(call)).await?;
        self.request(call, &place, connection, progress).await.map_err(|it| it.failed)
    }

    async fn connect(&self, call: &Call) -> Result<Connection, Failed> {
        let prepared = &call.prepared;
        let group = Group::Application(call.message.application);
        let origin = Origin { group, endpoint: Some(prepared.endpoint) };
        let connecting = self.connector.connect(&prepared.url, origin, prepared.trusted.as_deref());
        let (stream, address) = connecting.await?;
        let with_address = |failed: Failed| Failed { address: Some(address), ..failed };
        self.handshake(stream, address).await.map_err(with_address)
    }

    /// Begins to speak HTTP on a connection, in the version that TLS agreed on.
    pub(super) async fn handshake(
        &self,
        stream: Stream,
        address: SocketAddr,
    ) -> Result<Connection, Failed> {
        let allowance = stream.allowance().clone();
        if stream.is_http2() {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_secs(30))
                .max_header_list_size(HEADERS_MAX * 4)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .handshake(TokioIo::new(Metered::new(stream, FrameMeter::new(allowance.clone()))))
                .await
                .map_err(|error| broken(&error))?;
            // How a connection ends is told to the calls on it.
            let open = self.pool.spawn(async move { drop(connection.await) });
            return Ok(Connection { address, protocol: Protocol::Http2(sender), allowance, open });
        }
        let recorder = Recorder::default();
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEADERS_MAX as usize)
            .max_headers(HEADER_COUNT_MAX)
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(Tap::new(stream, recorder.clone(), allowance.clone())))
            .await
            .map_err(|error| broken(&error))?;
        let open = self.pool.spawn(async move { drop(connection.await) });
        let protocol = Protocol::Http1(sender, recorder);
        Ok(Connection { address, protocol, allowance, open })
    }

    /// Sends the request on a connection, reads the response, and keeps the connection if it
    /// can be used again.
    async fn request(
        &self,
        call: &Call,
        place: &Place,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<(), Broken> {
        progress.address = Some(connection.address);
        let allowance = connection.allowance.clone();
        let ended = self.request_on(call, place, connection, progress).await;
        ended.map_err(|broken| broken.explained(&allowance))
    }

    async fn request_on(
        &self,
        call: &Call,
        place: &Place,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<(), Broken> {
        let Connection { address, protocol, allowance, open } = connection;
        let mut request =
            call.prepared.request(&call.message, call.body.clone(), call.at).map(Full::new);
        match protocol {
            Protocol::Http1(mut sender, recorder) => {
                allowance.renew();
                let proxy = self.connector.forwarding(&call.prepared.url);
                if let Some(proxy) = proxy {
                    proxy.address_request(&mut request, &call.prepared.absolute);
                }
                let exchange = Http1 { sender: &mut sender, recorder: &recorder, proxy };
                if exchange.run(request, progress).await? {
                    let protocol = Protocol::Http1(sender, recorder);
                    self.pool.put(place, Connection { address, protocol, allowance, open });
                }
            },
            Protocol::Http2(mut sender) => {
                allowance.extend(call.body.len());
                let response = sender.send_request(absolute(request, call)).await;
                let response = response.map_err(|error| Broken {
                    failed: broken(&error),
                    is_unread: is_unread(&error),
                })?;
                if self.pool.take(place).is_none() {
                    let (protocol, open) = (Protocol::Http2(sender), open.clone());
                    self.pool.put(place, Connection { address, protocol, allowance, open });
                }
                progress.read(response).await?;
                drop(open);
            },
        }
        Ok(())
    }
}

/// A connection over HTTP/1, and the proxy that forwards what is sent on it.
struct Http1<'a> {
    sender: &'a mut http1::SendRequest<Full<Bytes>>,
    recorder: &'a Recorder,
    proxy: Option<&'a Proxy>,
}

impl Http1<'_> {
    /// Sends the request and reads the response; whether the connection can be used again.
    async fn run(
        self,
        request: Request<Full<Bytes>>,
        progress: &mut Progress,
    ) -> Result<bool, Broken> {
        let Self { sender, recorder, proxy } = self;
        recorder.begin();
        progress.recorder = Some(recorder.clone());
        let response = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let response = response.await.map_err(|error| Broken {
            failed: progress.without_head(&error),
            is_unread: !recorder.lock().has_begun,
        })?;
        if let Some(Err(refused)) = proxy.map(|proxy| proxy.check_response(response.status())) {
            // The status that was recorded is the proxy's, and says nothing of the receiver.
            progress.recorder = None;
            return Err(refused.into());
        }
        let is_whole = progress.read(response).await?;
        Ok(recorder.finish() && is_whole)
    }
}

impl Progress {
    /// Some servers say that an idle connection timed out when they close it. On a connection
    /// that was used before, that is not about the request, which they did not read.
    fn is_idle_timeout(&self) -> bool {
        self.status() == Some(StatusCode::REQUEST_TIMEOUT)
    }
}

/// Whether a request over HTTP/2 was certainly or most likely not processed: it was not sent,
/// the server said so, or the connection ended.
fn is_unread(error: &hyper::Error) -> bool {
    if error.is_canceled() || error.is_closed() {
        return true;
    }
    let Some(cause) = error.source() else { return false };
    cause.is::<io::Error>()
        || cause.downcast_ref::<h2::Error>().is_some_and(|it| {
            it.is_remote() && (it.is_go_away() || it.reason() == Some(h2::Reason::REFUSED_STREAM))
        })
}

/// HTTP/2 names the host in the URI.
fn absolute(mut request: Request<Full<Bytes>>, call: &Call) -> Request<Full<Bytes>> {
    *request.uri_mut() = call.prepared.absolute.clone();
    request.headers_mut().remove(header::HOST);
    request
}
