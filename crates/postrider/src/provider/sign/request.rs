//! Requests before and after signing.

/// A request to be signed.
#[derive(Clone, Debug, Default)]
pub struct UnsignedRequest {
    /// The URL of the receiver.
    pub url: String,
    /// The event type, for providers that send it in a header.
    pub event_type: Option<String>,
    /// The event id, for providers that send it in a header.
    pub event_id: Option<String>,
    /// Further headers. The default content type depends on the body.
    pub headers: Vec<(String, String)>,
    /// The body. Signatures that belong into the body are added to it.
    pub body: Vec<u8>,
}

/// A request as the provider would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedRequest {
    /// `POST`.
    pub method: String,
    /// The URL, with the query that some providers add.
    pub url: String,
    /// All headers, including `content-type`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No secret is set.
    #[error("no secret is set")]
    NoSecret,
    /// The secret does not have the provider's format.
    #[error("the secret cannot be used: {0}")]
    Secret(String),
    /// A required parameter is not set.
    #[error("parameter {0} is not set")]
    Parameter(&'static str),
    /// The body is not valid for this provider.
    #[error("the body cannot be signed: {0}")]
    Body(String),
    /// Signing with this scheme is not supported.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}
