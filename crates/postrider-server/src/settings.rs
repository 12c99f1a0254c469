//! What the operator decides about the API.

use std::time::Duration;

use ipnet::IpNet;
use postrider::signature::Kind;
use postrider_core::{address, own_urls::OwnUrls};

/// What the operator decides about the API; every field is given by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What tokens are signed with.
    pub jwt_secret: JwtSecret,
    /// How generated endpoint secrets sign.
    pub default_signature: Kind,
    /// Which URLs endpoints may have.
    pub urls: address::Policy,
    /// Where the server itself is reached; endpoints may not lead there.
    pub own_urls: OwnUrls,
    /// How long bodies are kept if the sender does not say.
    pub payload_retention: Duration,
    /// Where people and providers reach the server; links to the application portal, and the
    /// URLs of sources, begin with this.
    pub portal_url: String,
    /// Programs may connect without a token, to get requests passed on.
    pub relay: bool,
    /// Serve `/metrics`.
    pub metrics: bool,
    /// Serve `/docs` and the `OpenAPI` document.
    pub docs: bool,
    /// Where the URLs of listening programs begin, if not where everything else does.
    pub relay_url: Option<String>,
    /// Networks of reverse proxies, whose connections serve many clients.
    pub trusted_proxies: Vec<IpNet>,
    pub limits: Limits,
    pub quotas: Quotas,
}

/// What one application may use; nothing is limited where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    pub endpoints: Option<usize>,
    /// Event types that an endpoint asks for by name.
    pub event_types: Option<usize>,
    pub channels: Option<usize>,
    pub headers: Option<usize>,
    /// Whose messages go to the application.
    pub sources: Option<usize>,
    /// Made with the application's own tokens, on one node.
    pub requests_per_second: Option<u32>,
    /// Published through the API, on one node.
    pub messages_per_second: Option<u32>,
    /// Deliveries that have not ended.
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

/// What [`serve`](crate::http()) goes by.
#[derive(Clone, Debug)]
pub struct Serving {
    pub limits: Limits,
    /// Networks whose connections are not limited per address.
    pub trusted_proxies: Vec<IpNet>,
}

impl Settings {
    /// What connections are served by.
    pub fn serving(&self) -> Serving {
        Serving { limits: self.limits, trusted_proxies: self.trusted_proxies.clone() }
    }

    /// The URL of a path here as others know it.
    pub(crate) fn url(&self, path: &str) -> String {
        below(&self.portal_url, path)
    }

    /// The URL of a path here as those know it that post to listening programs.
    pub(crate) fn relay_url(&self, path: &str) -> String {
        below(self.relay_url.as_deref().unwrap_or(&self.portal_url), path)
    }
}

fn below(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

/// Every bound of the API.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of a message's payload.
    pub max_payload: usize,
    /// Most bytes that a request's body may have beside a payload.
    pub envelope: usize,
    /// Most bytes of a request's body that carries many messages, and of a refused body that
    /// are read before it is answered.
    pub batch_bytes: usize,
    /// Most bytes of a request's body that configures something.
    pub config_body: usize,
    /// Most bytes of a request's body that describes an event type, with its schemas.
    pub event_type_body: usize,
    /// Most messages in one request.
    pub batch_messages: usize,
    /// Open connections.
    pub connections: usize,
    /// Open connections of one address that is not a trusted proxy.
    pub connections_per_address: usize,
    /// The last of all connections, which only health checks and authenticated clients get.
    pub reserved_connections: usize,
    /// How long a connection may stay without a request.
    pub connection_idle_timeout: Duration,
    /// Age at which a connection is to end.
    pub connection_max_age: Duration,
    /// Requests in progress on one HTTP/2 connection.
    pub http2_streams: usize,
    /// Most bytes of a request's head.
    pub header_bytes: usize,
    /// Most headers of a request.
    pub headers: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that have arrived.
    pub body_timeout: Duration,
    /// How long a client may take to read a response, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that it has read.
    pub write_timeout: Duration,
    /// Bytes that extend the time limit of a transfer by a second.
    pub min_transfer_rate: usize,
    /// Bytes of all bodies of requests and responses that are held at a time.
    pub request_memory: usize,
    /// Bytes of stored items after which a page of a list ends.
    pub page_bytes: usize,
    /// Most bytes of a received webhook's body, if its source does not say.
    pub inbound_body: usize,
    /// How long a received webhook's body may take to arrive, and a second more for each
    /// [`Limits::min_transfer_rate`] bytes that have arrived.
    pub inbound_timeout: Duration,
    /// Times that a webhook may come through the deployment.
    pub hops: usize,
    /// How long a request waits for the one that has the same idempotency key.
    pub idempotency_wait: Duration,
    /// Verified tokens that are remembered.
    pub remembered_tokens: usize,
    /// Organizations whose archived event types are remembered.
    pub remembered_event_types: usize,
    /// Applications whose use of their quotas is remembered.
    pub remembered_accounts: usize,
    /// Fetched keys and certificates of providers that are remembered.
    pub remembered_keys: usize,
    /// Programs that listen at a time, each over a connection of its own: so many with a token,
    /// and so many without one.
    pub relay_sessions: usize,
    /// Short names of programs that one address may be wrong about at once; it may be wrong
    /// about one more each second.
    pub relay_guesses: usize,
    /// Requests that one listening program may have to answer at a time.
    pub relay_in_flight: usize,
    /// Most bytes that all requests on their way to listening programs with a token take, and
    /// again to those without one.
    pub relay_bytes: usize,
    /// Most bytes of a listening program's answer.
    pub relay_answer: usize,
    /// How long a listening program may take to answer.
    pub relay_timeout: Duration,
    /// How often listening programs are asked for a sign of life.
    pub relay_ping: Duration,
    /// How long open requests may take to end once the server is told to stop.
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

/// The secret that tokens are signed with, and older ones that still verify.
#[derive(Clone)]
pub struct JwtSecret {
    first: String,
    older: Vec<String>,
}

impl JwtSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self::rotating(secret, [])
    }

    /// Tokens that were signed with an older secret are valid until it is left out.
    pub fn rotating(first: impl Into<String>, older: impl IntoIterator<Item = String>) -> Self {
        Self { first: first.into(), older: older.into_iter().collect() }
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.first.as_bytes()
    }

    /// All of them, the one that signs first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.first).chain(&self.older).map(String::as_bytes)
    }
}

impl std::fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtSecret(…)")
    }
}
