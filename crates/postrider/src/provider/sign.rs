//! Genuine requests, for tests and for trying receivers out.

use super::{Provider, Settings};

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Where to.
    pub url: String,
    /// The kind of event; it goes where the provider has it, if that is a header.
    pub event_type: Option<String>,
    /// The id of the event; likewise.
    pub event_id: Option<String>,
    /// The body; signatures that stand in the body are put into it.
    pub body: Vec<u8>,
}

/// A request as the provider would send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// `POST`.
    pub method: String,
    /// With the query that the provider adds, if it does.
    pub url: String,
    /// All that the provider sends, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why no genuine request can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSign {
    /// No secret is given.
    #[error("no secret is given")]
    NoSecret,
    /// The secret is not of the provider's form.
    #[error("the secret cannot be used: {0}")]
    Secret(String),
    /// A parameter that the provider needs is not given.
    #[error("parameter {0} is not given")]
    Parameter(&'static str),
    /// The body is not one of this provider's.
    #[error("the body cannot be signed: {0}")]
    Body(String),
    /// The scheme cannot be signed here.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}

/// Makes the request as the provider would: with the first secret, which for asymmetric schemes
/// is a private key (PKCS#8 PEM).
pub fn sign(
    _provider: &Provider,
    _settings: &Settings,
    _draft: Draft,
    _now_seconds: u64,
) -> Result<Signed, CannotSign> {
    Err(CannotSign::Unsupported("nothing is yet"))
}
