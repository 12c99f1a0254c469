//! The connection to one server.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderValue, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

use super::InvalidClient;

pub(super) type Body = http_body_util::Full<bytes::Bytes>;

/// Time limit of a call unless [`Client::with_timeout`] sets another.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to one server, with a token.
#[derive(Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) idempotency_key: Option<HeaderValue>,
    pub(super) timeout: Duration,
}

pub(super) struct Shared {
    pub(super) http: HttpClient<HttpsConnector<HttpConnector>, Body>,
    pub(super) url: Url,
    pub(super) authorization: HeaderValue,
    pub(super) agent: HeaderValue,
}

impl Client {
    /// Creates a client for the server at this URL, with a token from `postrider token create`. It
    /// trusts the system's certificates.
    pub fn new(url: &str, token: &str) -> Result<Self, InvalidClient> {
        let parsed: Url = url.parse().map_err(|_| InvalidClient::Url(url.to_owned()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.cannot_be_a_base() {
            return Err(InvalidClient::Url(url.to_owned()));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| InvalidClient::Token)?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(InvalidClient::Certificates)?
            .https_or_http()
            .enable_http1()
            .build();
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        let agent =
            HeaderValue::from_static(concat!("postrider-client/", env!("CARGO_PKG_VERSION")));
        let shared = Arc::new(Shared { http, url: parsed, authorization, agent });
        Ok(Self { shared, idempotency_key: None, timeout: TIMEOUT })
    }

    /// Returns the same client with an idempotency key for its `POST`s: the server executes
    /// requests with the same key once, and returns the first response for repetitions. Use one key
    /// per call.
    pub fn with_idempotency_key(&self, key: &str) -> Result<Self, InvalidClient> {
        let key = HeaderValue::try_from(key).map_err(|_| InvalidClient::IdempotencyKey)?;
        Ok(Self { idempotency_key: Some(key), ..self.clone() })
    }

    /// Returns the same client with another time limit for each call.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Returns the same client with another `User-Agent` header.
    pub fn with_user_agent(&self, agent: &str) -> Result<Self, InvalidClient> {
        let agent = HeaderValue::try_from(agent).map_err(|_| InvalidClient::UserAgent)?;
        let Shared { http, url, authorization, .. } = &*self.shared;
        let (http, url, authorization) = (http.clone(), url.clone(), authorization.clone());
        let shared = Arc::new(Shared { http, url, authorization, agent });
        Ok(Self { shared, ..self.clone() })
    }
}

/// Hides the token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shared.url.as_str()).finish_non_exhaustive()
    }
}

/// Not among the names that `http` defines.
pub(super) const IDEMPOTENCY_KEY: header::HeaderName =
    header::HeaderName::from_static("idempotency-key");
