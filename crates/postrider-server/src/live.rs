//! Streams of `live` endpoints, for web pages and programs: Server-Sent Events and WebSocket.
//!
//! An endpoint with readers on this node has a channel: a window of its last events, which all its
//! readers share, and one task that fills it. Deliveries that this node makes arrive in the window
//! at once. Those of other nodes are read from the store, which also serves readers that come back
//! after a while.

mod admission;
mod catch_up;
mod channel;
mod follower;
mod holder;
mod place;
mod position;
mod reader;
mod request;
mod socket;
mod sse;
mod state;
pub(crate) mod token;

use std::sync::Arc;

use axum::{Router, routing::get};

pub(crate) use self::state::{Dependencies, Live};

/// Path of the streams.
const PATH: &str = "/live/";

/// Whether a request to the path is for a stream.
pub(crate) fn is_live_path(path: &str) -> bool {
    path.starts_with(PATH)
}

/// Path of the stream of an endpoint.
pub(crate) fn path_of(endpoint: postrider::EndpointId) -> String {
    format!("{PATH}{endpoint}")
}

/// The streams: `/live/{endpoint}`.
pub(crate) fn router(live: Arc<Live>) -> Router {
    let route = get(request::open).options(request::preflight);
    Router::new().route("/live/{endpoint_id}", route).with_state(live)
}
