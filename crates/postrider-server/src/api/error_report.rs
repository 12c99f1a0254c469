//! Error responses, and the log messages that tell the operator about them.

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
};

use postrider_engine::Engine;

use crate::api::{error::ApiError, response::ApiResponse};

/// Turns errors into responses, and logs those that are not the client's.
#[derive(Debug)]
pub(crate) struct ErrorReporter {
    engine: Engine,
    /// The second in which an unavailable store was logged last.
    logged_at: AtomicU64,
}

impl ErrorReporter {
    pub(crate) const fn new(engine: Engine) -> Self {
        Self { engine, logged_at: AtomicU64::new(0) }
    }

    /// The response for an error. An unavailable store fails thousands of requests, so it is
    /// logged once a second.
    pub(crate) fn response(&self, error: ApiError) -> ApiResponse {
        if let ApiError::Internal(cause) = &error {
            let error = cause.as_ref() as &dyn Error;
            tracing::error!(error, "internal error");
        }
        if let ApiError::Unavailable(reason, Some(cause)) = &error {
            let second = self.engine.clock().now().as_seconds();
            if self.logged_at.swap(second, Ordering::Relaxed) != second {
                tracing::warn!(
                    reason,
                    error = cause.as_ref() as &dyn Error,
                    "requests are rejected"
                );
            }
        }
        error.into_api_response()
    }
}
