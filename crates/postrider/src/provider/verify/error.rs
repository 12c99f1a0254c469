//! Why a request was rejected.

use super::super::KeyRequest;

/// Why a request was rejected. Log it, but send the same response for every reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The provider signs, but no secret is configured.
    #[error("no secret is configured")]
    NoSecret,
    /// The provider does not sign, and unsigned requests are not accepted.
    #[error("the provider does not sign, and unsigned requests are not accepted")]
    Unsigned,
    /// The location of the signature is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A value does not have the expected form.
    #[error("{0}")]
    Malformed(String),
    /// The request was signed too long ago; it may be a replay.
    #[error("timestamp is too old")]
    TooOld,
    /// The request was signed in the future.
    #[error("timestamp is too new")]
    TooNew,
    /// No signature matches: another secret, or another body.
    #[error("no signature matches")]
    Signature,
    /// A configured secret does not have the provider's format.
    #[error("secret {index} cannot be used: {reason}")]
    Secret {
        /// The index of the secret.
        index: usize,
        /// The reason.
        reason: String,
    },
    /// A required parameter is not configured.
    #[error("parameter {0} is not configured")]
    Parameter(&'static str),
    /// The method is neither used for events nor for a handshake: respond with 405.
    #[error("the method is neither used for events nor for a handshake")]
    Method,
    /// The request is an invalid handshake.
    #[error("handshake: {0}")]
    Handshake(String),
    /// A key has to be fetched first.
    #[error("the key at {} is needed", .0.url)]
    KeyNeeded(KeyRequest),
    /// Verification would take more work than the request's length justifies: a model with many
    /// selectors or schemes and many secrets meets a request that was crafted for them.
    #[error("verification would take too much work; use fewer secrets, schemes and selectors")]
    TooMuchWork,
    /// The provider's scheme is not supported.
    #[error("not supported, because {0}")]
    Unsupported(&'static str),
}
