//! A typed client of the HTTP API (feature `client`).
//!
//! ```no_run
//! use postrider::{
//!     api::{ApplicationIn, EndpointIn},
//!     client::Client,
//! };
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://127.0.0.1:8071", "the token")?;
//! let acme = ApplicationIn { name: "Acme".into(), uid: Some("acme".into()), ..Default::default() };
//! client.application().create(&acme).await?;
//! let url = "https://example.com/hook".to_owned();
//! client.endpoint("acme").create(&EndpointIn { url, ..Default::default() }).await?;
//! client.message("acme").publish("invoice.paid", &serde_json::json!({ "id": "in_1" })).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A client is cheap to clone and reuses its connections. [`Error::is_transient`] tells whether a
//! failed call is worth repeating. With the same [idempotency key](Client::with_idempotency_key), a
//! repeated `POST` takes effect only once.

mod application;
mod attempt;
mod authentication;
mod call;
mod endpoint;
mod error;
mod event_type;
mod message;
mod query;
mod source;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderValue, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use url::Url;

pub use self::{
    application::Applications,
    attempt::Attempts,
    authentication::Authentication,
    call::{Call, Response},
    endpoint::Endpoints,
    error::{Error, InvalidClient},
    event_type::EventTypes,
    message::Messages,
    query::{AttemptQuery, EventTypeQuery, MessageQuery, Page, Query},
    source::Sources,
};

#[doc(hidden)]
pub use self::call::Response as Answer;

type Body = http_body_util::Full<bytes::Bytes>;

/// Time limit of a call unless [`Client::with_timeout`] sets another.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to one server, with a token.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    idempotency_key: Option<HeaderValue>,
    timeout: Duration,
}

struct Shared {
    http: HttpClient<HttpsConnector<HttpConnector>, Body>,
    url: Url,
    authorization: HeaderValue,
    agent: HeaderValue,
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

    /// Applications: your customers.
    pub fn application(&self) -> Applications<'_> {
        Applications(self)
    }

    /// Endpoints of an application, given by id or uid.
    pub fn endpoint<'a>(&'a self, application: &'a str) -> Endpoints<'a> {
        Endpoints { client: self, application }
    }

    /// Event types of the organization.
    pub fn event_type(&self) -> EventTypes<'_> {
        EventTypes(self)
    }

    /// Messages of an application.
    pub fn message<'a>(&'a self, application: &'a str) -> Messages<'a> {
        Messages { client: self, application }
    }

    /// Attempts to deliver messages of an application.
    pub fn attempt<'a>(&'a self, application: &'a str) -> Attempts<'a> {
        Attempts { client: self, application }
    }

    /// Sources: the URLs that providers post to.
    pub fn source(&self) -> Sources<'_> {
        Sources(self)
    }

    /// Tokens for the application portal.
    pub fn authentication(&self) -> Authentication<'_> {
        Authentication(self)
    }

    /// Succeeds if the server and its store work.
    pub async fn health(&self) -> Result<(), Error> {
        self.call(Call::get(&["api", "v1", "health"])).await.map(drop)
    }
}

/// Hides the token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shared.url.as_str()).finish_non_exhaustive()
    }
}

/// Not among the names that `http` defines.
const IDEMPOTENCY_KEY: header::HeaderName = header::HeaderName::from_static("idempotency-key");
