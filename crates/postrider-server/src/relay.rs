//! The relay of `postrider listen`: forwards webhooks to developers' machines over WebSocket.
//!
//! A listener connects to `/api/v1/listen/` with its token. Requests to
//! `/api/v1/receive/{token}/` are forwarded to it, and its response is the response; nothing is
//! stored. With an API token it can follow a source instead: it then receives the messages that
//! the store holds, from the last one that it responded to.
//!
//! A page that shows requests reads them as Server-Sent Events at `/api/v1/listen/requests`, and
//! chooses one response to all of them.
//!
//! Listeners without an API token are only admitted if the operator has opened the relay. They
//! have connections and memory of their own, so that they cannot crowd out the others.

mod capacity;
mod connect;
mod connection;
mod follow;
mod forward;
mod guess_limiter;
mod paths;
mod receive;
mod request_filter;
mod response_filter;
mod sessions;
mod state;
mod stream;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    routing::{any, get},
};

pub(crate) use self::{
    paths::is_relay_path,
    receive::receive,
    state::{Dependencies, Relay},
    token::is_listener_token,
};

/// The URL that listeners connect to, and the URLs that they receive requests at.
pub(crate) fn router(relay: &Arc<Relay>) -> Router {
    let receive =
        async |State(relay): State<Arc<Relay>>, request: Request| receive(&relay, request).await;
    Router::new()
        .route("/api/v1/listen", get(connect::connect))
        .route("/api/v1/listen/", get(connect::connect))
        .route("/api/v1/listen/requests", get(stream::open))
        .route("/api/v1/receive/{token}", any(receive))
        .route("/api/v1/receive/{token}/", any(receive))
        .route("/api/v1/receive/{token}/{*rest}", any(receive))
        .with_state(Arc::clone(relay))
}
