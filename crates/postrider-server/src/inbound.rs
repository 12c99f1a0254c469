//! Receives: what providers post to the URLs of sources.

use std::sync::Arc;

use axum::Router;

use crate::context::Context;

/// The URLs of sources: `/in/{token}`.
pub(crate) fn router(_context: &Arc<Context>) -> Router {
    Router::new()
}
