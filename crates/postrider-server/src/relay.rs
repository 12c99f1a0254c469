//! Passes webhooks on to programs at somebody's desk, over WebSocket.
//!
//! A program connects to `/api/v1/listen/` and names itself by a token; requests to
//! `/api/v1/receive/{token}/` are handed to it, and its answers are the answers. Nothing is
//! stored. With a token of the API it can follow a source instead: then it gets what the
//! store holds, and goes on where it was.

mod follow;
mod listen;
mod name;
mod pass;
mod receive;
mod sessions;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get},
};
use tokio::sync::Semaphore;

use self::sessions::Sessions;
use crate::context::Context;

/// Where the URLs of listening programs begin.
const RECEIVE: &str = "/api/v1/receive/";

/// Bytes that one permit of [`Relay::room`] stands for.
const UNIT: usize = 1 << 10;

/// What all listening programs share.
#[derive(Debug)]
struct Relay {
    context: Arc<Context>,
    sessions: Sessions,
    /// Programs that may connect.
    seats: Arc<Semaphore>,
    /// Bytes that requests on their way may take, in [`UNIT`]s.
    room: Arc<Semaphore>,
}

/// `/api/v1/listen/`, which such programs connect to, and the URLs that they get.
pub(crate) fn router(context: &Arc<Context>) -> Router {
    let limits = &context.settings.limits;
    let relay = Relay {
        context: Arc::clone(context),
        sessions: Sessions::default(),
        seats: Arc::new(Semaphore::new(limits.relay_sessions)),
        room: Arc::new(Semaphore::new(limits.relay_bytes / UNIT)),
    };
    Router::new()
        .route("/api/v1/listen", get(listen::listen))
        .route("/api/v1/listen/", get(listen::listen))
        .route("/api/v1/receive/{token}", any(receive::receive))
        .route("/api/v1/receive/{token}/", any(receive::receive))
        .route("/api/v1/receive/{token}/{*rest}", any(receive::receive))
        .with_state(Arc::new(relay))
}
