//! The HTTP API.
//!
//! [`Server::router`] answers requests, [`serve()`] brings them over TCP. Every operation is
//! declared once in `routes`, and both the router and the document are made from there.

mod api;
mod auth;
mod http;
mod idempotency;
mod inbound;
mod locks;
mod metrics;
pub mod operations;
mod quota;
mod relay;
mod server;
mod settings;

pub use crate::{
    api::{
        error::ApiError,
        json_text::JsonText,
        openapi::openapi,
        operation::{AnyOperation, Declaration, Operation, RawInput},
        query::{Limit, OnByDefault},
        reply::Upserted,
        response::ApiResponse,
    },
    auth::{
        access::Access,
        principal::Principal,
        token::{ApplicationGrant, Grant, mint},
    },
    http::serve,
    operations::handle::Operations,
    server::Server,
    settings::{JwtSecret, Limits, Quotas, Serving, Settings, SizeLimit},
};
