//! Why a person cannot sign in.

use http::StatusCode;
use postrider_store::StoreError;

/// Why a person cannot sign in. The texts are for that person; the log has the causes.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    #[error("the identity provider cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the identity provider sent something that cannot be used")]
    Provider(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the sign-in took too long, or it was begun in another window")]
    NotPending,
    #[error("the identity provider did not sign you in ({0})")]
    Refused(String),
    #[error("the sign-in cannot be used again")]
    CodeRefused,
    #[error(
        "your account has no role here; ask an administrator to add you to a group that has one"
    )]
    NoRole,
    #[error("another page sent the request")]
    OtherOrigin,
    #[error("the session cannot be stored")]
    Store(#[from] StoreError),
}

impl SignInError {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable(_) | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Provider(_) => StatusCode::BAD_GATEWAY,
            Self::NotPending | Self::CodeRefused => StatusCode::BAD_REQUEST,
            Self::Refused(_) | Self::NoRole | Self::OtherOrigin => StatusCode::FORBIDDEN,
        }
    }

    /// Whether it helps to try again.
    pub(super) const fn is_temporary(&self) -> bool {
        !matches!(self, Self::NoRole | Self::OtherOrigin)
    }
}
