//! The HTTP API.
//!
//! [`Server::router`] answers requests, [`serve()`] brings them over TCP. Every operation is
//! declared once in `routes`, and both the router and the document are made from there.

mod api;
mod auth;
mod context;
mod http;
mod idempotency;
mod inbound;
mod metrics;
mod operations;
mod quota;
mod relay;
mod server;
mod settings;

pub use crate::{
    api::openapi::openapi,
    auth::token::{ApplicationGrant, Grant, mint},
    http::serve,
    server::Server,
    settings::{JwtSecret, Limits, Quotas, Serving, Settings},
};
