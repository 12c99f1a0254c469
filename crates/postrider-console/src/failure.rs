//! Why there is no page.

use crate::{api::ApiFailure, viewer::Action};

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no session, or it has ended.
    #[error("sign in first")]
    SignedOut,
    /// A page of another site sent the form.
    #[error("this form was not sent by a page of this server; open the page again and repeat it")]
    Forged,
    /// The API refused a call.
    #[error(transparent)]
    Api(ApiFailure),
    /// The person may not do what the page is for.
    #[error("you may not do this")]
    NotPermitted(Action),
    /// There is no such page.
    #[error("{0} does not exist")]
    NotFound(&'static str),
    /// The form is larger than the server reads.
    #[error("the form is larger than {0} bytes")]
    TooLarge(usize),
}

impl From<ApiFailure> for Failure {
    fn from(failure: ApiFailure) -> Self {
        if failure.status() == http::StatusCode::UNAUTHORIZED {
            return Self::SignedOut;
        }
        Self::Api(failure)
    }
}

impl Failure {
    pub(crate) const fn status(&self) -> http::StatusCode {
        match self {
            Self::SignedOut => http::StatusCode::UNAUTHORIZED,
            Self::Forged | Self::NotPermitted(_) => http::StatusCode::FORBIDDEN,
            Self::Api(failure) => failure.status(),
            Self::NotFound(_) => http::StatusCode::NOT_FOUND,
            Self::TooLarge(_) => http::StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}
