//! Sends a request and reads its response, on a pooled connection or on a new one.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use postrider_core::outcome::Failure;

use super::{
    HttpCall, HttpSender,
    handshake::handshake,
    progress::{Progress, connection_error},
    recorder::Recorder,
    unread::is_unread,
};
use crate::sender::{
    error::CallError,
    origin::{LookupGroup, Origin},
    pool::{Connection, PoolKey, Protocol},
    proxy::Proxy,
    receive_budget::ReceiveBudget,
    tls::TlsSettings,
};

/// A request without a complete response.
pub(super) struct ExchangeError {
    failed: CallError,
    /// There is no sign that the receiver has read the request.
    is_unread: bool,
}

impl ExchangeError {
    /// If the receiver sent too much, the request is not sent again.
    fn explained(self, budget: &ReceiveBudget) -> Self {
        match budget.exceeded() {
            Some(reason) => CallError::new(Failure::Protocol, reason).into(),
            None => self,
        }
    }
}

impl From<CallError> for ExchangeError {
    fn from(failed: CallError) -> Self {
        Self { failed, is_unread: false }
    }
}

impl HttpSender {
    /// Makes the call. `progress` contains what is known so far, also if this future is dropped.
    pub(super) async fn exchange(
        &self,
        call: HttpCall<'_>,
        progress: &mut Progress,
    ) -> Result<(), CallError> {
        let key = PoolKey::of(call.prepared);
        if let Some(connection) = self.pool.take(&key) {
            match self.request(call, &key, connection, progress).await {
                // The receiver closed the connection while it was idle, and most likely did not
                // read the request. If it did, it gets the request twice, which delivery at
                // least once allows.
                Err(ExchangeError { is_unread: true, .. }) => *progress = Progress::default(),
                Ok(()) if progress.is_idle_timeout() => *progress = Progress::default(),
                ended => return ended.map_err(|it| it.failed),
            }
        }
        // Connecting is rare and its future is large. In a box, it does not enlarge the future
        // of every call.
        let connection = Box::pin(self.connect(call)).await?;
        self.request(call, &key, connection, progress).await.map_err(|it| it.failed)
    }

    async fn connect(&self, call: HttpCall<'_>) -> Result<Connection, CallError> {
        let prepared = call.prepared;
        let group = LookupGroup::Application(call.message.application);
        let origin = Origin { group, endpoint: Some(prepared.endpoint) };
        if let Some(identity) = &prepared.identity {
            self.expiry.check(prepared.endpoint, identity, call.at);
        }
        let connecting = self.connector.connect(&prepared.url, origin, TlsSettings::of(prepared));
        let opened = connecting.await?;
        let address = Some(opened.address);
        handshake(&self.pool, opened).await.map_err(|error| CallError { address, ..error })
    }

    /// Sends the request on a connection, reads the response, and returns the connection to the
    /// pool if it can be used again.
    async fn request(
        &self,
        call: HttpCall<'_>,
        key: &PoolKey,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<(), ExchangeError> {
        progress.address = Some(connection.address);
        let budget = connection.budget.clone();
        let ended = self.request_on(call, key, connection, progress).await;
        ended.map_err(|broken| broken.explained(&budget))
    }

    async fn request_on(
        &self,
        call: HttpCall<'_>,
        key: &PoolKey,
        connection: Connection,
        progress: &mut Progress,
    ) -> Result<(), ExchangeError> {
        let Connection { address, protocol, budget, open } = connection;
        let mut request = call.request().map(Full::new);
        match protocol {
            Protocol::Http1(mut sender, recorder) => {
                budget.renew();
                let proxy = self.connector.forwarding(&call.prepared.url);
                if let Some(proxy) = proxy {
                    proxy.address_request(&mut request, &call.prepared.absolute);
                }
                let exchange = Http1 { sender: &mut sender, recorder: &recorder, proxy };
                if exchange.run(request, progress).await? {
                    let protocol = Protocol::Http1(sender, recorder);
                    self.pool.put(key, Connection { address, protocol, budget, open });
                }
            },
            Protocol::Http2(mut sender) => {
                budget.extend(call.body.len());
                let response = sender.send_request(absolute(request, call)).await;
                let response = response.map_err(|error| ExchangeError {
                    failed: connection_error(&error),
                    is_unread: is_unread(&error),
                })?;
                if self.pool.take(key).is_none() {
                    let (protocol, open) = (Protocol::Http2(sender), open.clone());
                    self.pool.put(key, Connection { address, protocol, budget, open });
                }
                progress.read(response).await?;
                drop(open);
            },
        }
        Ok(())
    }
}

/// An HTTP/1 connection, and the proxy that forwards its requests if there is one.
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
    ) -> Result<bool, ExchangeError> {
        let Self { sender, recorder, proxy } = self;
        recorder.begin();
        progress.recorder = Some(recorder.clone());
        let response = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let response = response.await.map_err(|error| ExchangeError {
            failed: progress.without_head(&error),
            is_unread: !recorder.lock().has_begun,
        })?;
        if let Some(Err(refused)) = proxy.map(|proxy| proxy.check_response(response.status())) {
            // The recorded status is that of the proxy, and says nothing about the receiver.
            progress.recorder = None;
            return Err(refused.into());
        }
        let is_whole = progress.read(response).await?;
        Ok(recorder.finish() && is_whole)
    }
}

impl Progress {
    /// Some servers send 408 when they close an idle connection. On a connection that was used
    /// before, it is not about the request, which they did not read.
    fn is_idle_timeout(&self) -> bool {
        self.status() == Some(StatusCode::REQUEST_TIMEOUT)
    }
}

/// HTTP/2 has the host in the URI.
fn absolute(mut request: Request<Full<Bytes>>, call: HttpCall<'_>) -> Request<Full<Bytes>> {
    *request.uri_mut() = call.prepared.absolute.clone();
    request.headers_mut().remove(header::HOST);
    request
}
