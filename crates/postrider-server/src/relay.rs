//! Passes webhooks on to programs at somebody's desk, over WebSocket.

use std::sync::Arc;

use axum::Router;

use crate::context::Context;

/// `/api/v1/listen/`, which such programs connect to, and the URLs that they get.
pub(crate) fn router(_context: &Arc<Context>) -> Router {
    Router::new()
}
