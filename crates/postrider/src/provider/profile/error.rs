//! Why a signing model is not valid.

use super::super::InvalidModel;

/// The signing model is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSigningModel {
    /// The text is too long.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// The text is not a signing model in JSON.
    #[error("is not a signing model: {0}")]
    Json(#[from] serde_json::Error),
    /// The scheme is not valid, for signing or verifying.
    #[error("sign: {0}")]
    Scheme(#[from] InvalidModel),
    /// A part of the model cannot be used for signing.
    #[error("{place}: {reason}")]
    Part {
        /// The name of the part.
        place: String,
        /// What is wrong, and what to use instead.
        reason: String,
    },
}

impl InvalidSigningModel {
    pub(super) fn part(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Part { place: place.into(), reason: reason.into() }
    }
}
