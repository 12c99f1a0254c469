//! Settings of the server.

use std::time::Duration;

use ipnet::IpNet;
use postrider::signature::Kind;
use postrider_core::{kind::live::AllowedOrigin, own_urls::UrlRules};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{http::ServerTls, sso::SsoSettings};

/// Open connections for metrics.
const METRICS_CONNECTIONS: usize = 64;

/// The server's settings. The configuration provides every field.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The trace context of a request is kept with the messages that it publishes.
    pub propagates_traces: bool,
    /// The secret that signs tokens.
    pub jwt_secret: JwtSecret,
    /// How long tokens are valid that are exchanged for one-time tokens.
    pub token_expiry: Duration,
    /// How generated endpoint secrets sign.
    pub default_signature: Kind,
    /// Which URLs endpoints may have.
    pub urls: UrlRules,
    /// How long payloads are kept by default.
    pub payload_retention: Duration,
    /// The public URL of the server. Links to the application portal and the URLs of sources begin
    /// with it.
    pub portal_url: String,
    /// Whether listeners can connect without a token.
    pub relay: bool,
    /// Origins of web pages that may call the API.
    pub cors_origins: Vec<AllowedOrigin>,
    /// How people sign in, if they can.
    pub sso: Option<SsoSettings>,
    /// Serve the `OpenAPI` document.
    pub docs: bool,
    /// The public URL for listeners, if it is not `portal_url`.
    pub relay_url: Option<String>,
    /// Networks of reverse proxies, whose connections carry requests of many clients.
    pub trusted_proxies: Vec<IpNet>,
    /// Cancelled when the server is about to shut down. It still accepts requests, but is no longer
    /// ready.
    pub draining: CancellationToken,
    pub limits: Limits,
    pub quotas: Quotas,
}

/// The quotas of an application; `None` means no limit.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    pub endpoints: Option<usize>,
    /// Event types in the filter of an endpoint.
    pub event_types: Option<usize>,
    pub channels: Option<usize>,
    pub headers: Option<usize>,
    /// Sources whose messages the application receives.
    pub sources: Option<usize>,
    /// Requests with the application's own tokens, on each node.
    pub requests_per_second: Option<u32>,
    /// Messages published through the API, on each node.
    pub messages_per_second: Option<u32>,
    /// Pending deliveries.
    pub pending: Option<u64>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            endpoints: Some(1_000),
            event_types: Some(500),
            channels: Some(10),
            headers: Some(50),
            sources: None,
            requests_per_second: Some(100),
            messages_per_second: None,
            pending: None,
        }
    }
}

/// The settings of [`serve`](crate::serve()).
#[derive(Clone, Debug)]
pub struct Serving {
    pub limits: Limits,
    /// Networks whose connections are not limited per address.
    pub trusted_proxies: Vec<IpNet>,
    /// If it is set, all connections use TLS.
    pub tls: Option<ServerTls>,
    /// Once it is cancelled, responses ask HTTP/1 clients to close their connections.
    pub draining: CancellationToken,
    /// Runtimes of other threads that serve connections in turn with this one.
    pub threads: Vec<Handle>,
}

impl Settings {
    /// The settings of connections to the API.
    pub fn serving(&self, tls: Option<ServerTls>) -> Serving {
        Serving {
            limits: self.limits,
            trusted_proxies: self.trusted_proxies.clone(),
            tls,
            draining: self.draining.clone(),
            threads: Vec::new(),
        }
    }

    /// The settings of connections for metrics. Few clients need them, and no client needs many.
    pub fn serving_metrics(&self) -> Serving {
        let limits = Limits {
            connections: METRICS_CONNECTIONS,
            connections_per_address: METRICS_CONNECTIONS,
            reserved_connections: 0,
            ..self.limits
        };
        let draining = self.draining.clone();
        Serving { limits, trusted_proxies: Vec::new(), tls: None, draining, threads: Vec::new() }
    }

    /// The public URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        join(&self.portal_url, path)
    }

    /// The public URL of a path for listeners.
    pub(crate) fn relay_url(&self, path: &str) -> String {
        join(self.relay_url.as_deref().unwrap_or(&self.portal_url), path)
    }
}

fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// The limits of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum size of a message's payload in bytes.
    pub max_payload: usize,
    /// Maximum size of a request's body in addition to the payload, in bytes.
    pub envelope: usize,
    /// Maximum size of a request's body with many messages, in bytes. Also the part of a refused
    /// body that is read before the response.
    pub batch_bytes: usize,
    /// Maximum size of a request's body with settings, in bytes.
    pub config_body: usize,
    /// Maximum size of a request's body with an event type and its schemas, in bytes.
    pub event_type_body: usize,
    /// Maximum number of messages in one request.
    pub batch_messages: usize,
    /// Open connections.
    pub connections: usize,
    /// Open connections of one address that is not a trusted proxy.
    pub connections_per_address: usize,
    /// Connections that are reserved for health checks and authenticated clients.
    pub reserved_connections: usize,
    /// How long a connection may be idle.
    pub connection_idle_timeout: Duration,
    /// Age at which a connection is closed.
    pub connection_max_age: Duration,
    /// Requests in progress on one HTTP/2 connection.
    pub http2_streams: usize,
    /// Maximum size of a request's head in bytes.
    pub header_bytes: usize,
    /// Maximum number of headers of a request.
    pub headers: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that have arrived.
    pub body_timeout: Duration,
    /// How long a client may take to read a response, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that it has read.
    pub write_timeout: Duration,
    /// Bytes that extend the time limit of a transfer by one second.
    pub min_transfer_rate: usize,
    /// Memory for all bodies of requests and responses, in bytes.
    pub request_memory: usize,
    /// Size of stored items in bytes at which a page of a list ends.
    pub page_bytes: usize,
    /// Default maximum size of a received webhook's body, in bytes.
    pub inbound_body: usize,
    /// How long a received webhook's body may take to arrive, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that have arrived.
    pub inbound_timeout: Duration,
    /// How often a webhook may pass through the deployment.
    pub hops: usize,
    /// How long a request waits for another one with the same idempotency key.
    pub idempotency_wait: Duration,
    /// Verified tokens in the cache.
    pub remembered_tokens: usize,
    /// Organizations whose archived event types are cached.
    pub remembered_event_types: usize,
    /// Applications whose usage is tracked.
    pub remembered_accounts: usize,
    /// Fetched keys and certificates of providers in the cache.
    pub remembered_keys: usize,
    /// Maximum number of listeners with a token, and also of listeners without one.
    pub relay_sessions: usize,
    /// Wrong short names of listeners that one address may try at once; one more is allowed each
    /// second.
    pub relay_guesses: usize,
    /// Maximum number of unanswered requests to a listener.
    pub relay_in_flight: usize,
    /// Memory for requests on their way to listeners with a token, and also for those without one,
    /// in bytes.
    pub relay_bytes: usize,
    /// Maximum size of a listener's response in bytes.
    pub relay_answer: usize,
    /// How long a listener may take to respond.
    pub relay_timeout: Duration,
    /// Interval of heartbeats to listeners.
    pub relay_ping: Duration,
    /// Maximum number of readers of `live` endpoints.
    pub live_readers: usize,
    /// Maximum size of the last events of a `live` endpoint that are kept for its readers, in
    /// bytes.
    pub live_window: usize,
    /// How long open requests may take to complete during shutdown.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_payload: 1 << 20,
            envelope: 64 << 10,
            batch_bytes: 16 << 20,
            config_body: 64 << 10,
            event_type_body: 256 << 10,
            batch_messages: 1_000,
            connections: 10_000,
            connections_per_address: 1_000,
            reserved_connections: 100,
            connection_idle_timeout: Duration::from_secs(60),
            connection_max_age: Duration::from_secs(60 * 60),
            http2_streams: 128,
            header_bytes: 64 << 10,
            headers: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            min_transfer_rate: 4 << 10,
            request_memory: 256 << 20,
            page_bytes: 1 << 20,
            inbound_body: 5 << 20,
            inbound_timeout: Duration::from_secs(20),
            hops: 3,
            idempotency_wait: Duration::from_secs(10),
            remembered_tokens: 10_000,
            remembered_event_types: 1_000,
            remembered_accounts: 250_000,
            remembered_keys: 256,
            relay_sessions: 100,
            relay_guesses: 20,
            relay_in_flight: 16,
            relay_bytes: 64 << 20,
            relay_answer: 1 << 20,
            relay_timeout: Duration::from_secs(30),
            relay_ping: Duration::from_secs(20),
            live_readers: 10_000,
            live_window: 4 << 20,
            drain: Duration::from_secs(10),
        }
    }
}

/// A limit of a size, with the name of the setting that determines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimit {
    pub bytes: usize,
    pub setting: &'static str,
}

/// The secret that signs tokens, and older ones that still verify.
#[derive(Clone)]
pub struct JwtSecret {
    first: String,
    older: Vec<String>,
}

impl JwtSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self::rotating(secret, [])
    }

    /// Tokens that were signed with an older secret are valid as long as it is listed.
    pub fn rotating(first: impl Into<String>, older: impl IntoIterator<Item = String>) -> Self {
        Self { first: first.into(), older: older.into_iter().collect() }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.first.as_bytes()
    }

    /// All secrets, the one that signs first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.first).chain(&self.older).map(String::as_bytes)
    }
}

impl std::fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtSecret(…)")
    }
}
