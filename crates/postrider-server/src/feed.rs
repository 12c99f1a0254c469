//! The feed of an organization: its messages, attempts, rejected requests and changes of endpoints
//! as they happen, as Server-Sent Events.
//!
//! While somebody reads an organization's feed on this node, one task reads what is new from the
//! store, behind the commits and from all nodes, into a window that all readers share. Nothing is
//! read while there are no readers. A reader that comes back gets what it missed from the window or from the
//! store.

mod channel;
mod entry;
mod filter;
mod follower;
mod place;
mod poll;
mod reader;
mod render;
mod request;
mod state;
mod track;

use std::sync::Arc;

use axum::{Router, routing::get};

pub(crate) use self::state::{Dependencies, Feeds, PATH};

/// The route of the feed.
pub(crate) fn router(feeds: Arc<Feeds>) -> Router {
    Router::new().route(PATH, get(request::open)).with_state(feeds)
}
