//! The connection to the collector.

use std::{fmt, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::{ClientConfig, RootCertStore};

/// Most bytes of a response.
const MAX_RESPONSE: usize = 64 << 10;

/// Posts spans to the collector. It is the operator's, so it may have any address.
pub(super) struct CollectorClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl CollectorClient {
    /// Trusts the system's certificates if the collector is called over https.
    pub(super) fn new(is_https: bool, timeout: Duration) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new();
        let connector = if is_https {
            let trusted = connector.with_native_roots();
            trusted.context("the system has no certificates to verify the collector with")?
        } else {
            let none = RootCertStore::empty();
            let config = ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
            connector.with_tls_config(config)
        };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector.https_or_http().enable_http1().build());
        Ok(Self { http, timeout })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.http.request(request.map(Full::new)).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

#[async_trait::async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(self.timeout, self.send(request)).await?
    }
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorClient").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
