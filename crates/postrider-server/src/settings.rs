//! What the operator decides about the API.

use std::time::Duration;

use postrider::signature::Kind;
use postrider_core::address;

/// What the operator decides about the API; every field is given by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What tokens are signed with.
    pub jwt_secret: JwtSecret,
    /// How generated endpoint secrets sign.
    pub default_signature: Kind,
    /// Which URLs endpoints may have.
    pub urls: address::Policy,
    /// How long bodies are kept if the sender does not say.
    pub payload_retention: Duration,
    /// Where people and providers reach the server; links to the application portal, and the
    /// URLs of sources, begin with this.
    pub portal_url: String,
    /// Programs may connect without a token, to get requests passed on.
    pub relay: bool,
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

impl Settings {
    /// The URL of a path here as others know it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{}", self.portal_url.trim_end_matches('/'), path.trim_start_matches('/'))
    }
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
    /// Most messages in one request.
    pub batch_messages: usize,
    /// Open connections; more wait until one closes.
    pub connections: usize,
    /// Most bytes of a request's head.
    pub header_bytes: usize,
    /// Most headers of a request.
    pub headers: usize,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// Most bytes of a received webhook's body, if its source does not say.
    pub inbound_body: usize,
    /// Bytes of received webhooks that are being read, verified and stored.
    pub inbound_memory: usize,
    /// How long a received webhook's body may take to arrive.
    pub inbound_timeout: Duration,
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
    /// Programs that listen at a time, each over a connection of its own.
    pub relay_sessions: usize,
    /// Short names of programs that one address may be wrong about at once; it may be wrong
    /// about one more each second.
    pub relay_guesses: usize,
    /// Requests that one listening program may have to answer at a time.
    pub relay_in_flight: usize,
    /// Most bytes that all requests on their way to listening programs take.
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
            batch_messages: 1_000,
            connections: 10_000,
            header_bytes: 64 << 10,
            headers: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            inbound_body: 5 << 20,
            inbound_memory: 256 << 20,
            inbound_timeout: Duration::from_secs(20),
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

/// The secret that tokens are signed with.
#[derive(Clone)]
pub struct JwtSecret(String);

impl JwtSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtSecret(…)")
    }
}
