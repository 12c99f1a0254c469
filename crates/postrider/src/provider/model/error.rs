//! Why a model is invalid.

/// The model is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidModel {
    /// The text is not a model.
    #[error("the model is not valid: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The text is too long.
    #[error("the model is longer than {0} bytes")]
    TooLong(usize),
    /// A part is larger than any provider needs, and would multiply the work per request.
    #[error("{name} has more than {most} {of}")]
    TooLarge {
        /// The part.
        name: &'static str,
        /// What it has too many of.
        of: &'static str,
        /// The maximum.
        most: usize,
    },
    /// There is no scheme.
    #[error("verify is empty; name a scheme, or `none` if nothing is signed")]
    NoScheme,
    /// A scheme is invalid.
    #[error("verify[{index}] ({scheme}): {reason}")]
    Scheme {
        /// The index.
        index: usize,
        /// The name of the scheme.
        scheme: &'static str,
        /// The reason.
        reason: String,
    },
    /// A handshake is invalid.
    #[error("handshakes[{index}]: {reason}")]
    Handshake {
        /// The index.
        index: usize,
        /// The reason.
        reason: &'static str,
    },
    /// A response has a status that providers would misinterpret.
    #[error("{name} has the status {status}; use {instead}")]
    Status {
        /// `acknowledgements` or `refusal`.
        name: &'static str,
        /// The status.
        status: u16,
        /// The allowed statuses.
        instead: &'static str,
    },
    /// An expression refers to a part of the signature's header, which only signatures can do.
    #[error("{name}: {location} is only for the timestamp and the id of a signature")]
    Expression {
        /// `event_type`, `unique_event_id` or `event_id`.
        name: &'static str,
        /// The selector.
        location: String,
    },
}
