//! The HTTP API.
//!
//! [`Server::router`] answers requests, [`serve()`] brings them over TCP. Every operation is
//! declared once in `routes`, and both the router and the document are made from there.

mod archived;
mod auth;
mod body;
mod builtin;
mod call;
mod context;
mod convert;
mod docs;
mod error;
mod example;
mod headers;
mod idempotency;
mod inbound;
mod memory;
mod metrics;
mod openapi;
mod operation;
mod operational;
mod page;
mod payload;
mod problems;
mod query;
mod quota;
mod relay;
mod reply;
mod routes;
mod schemas;
mod secret;
mod serve;
mod server;
mod settings;
mod shape;
mod status;
mod suggest;
mod token;
mod upload;
mod url;
mod view;

pub use crate::{
    openapi::openapi,
    serve::serve,
    server::Server,
    settings::{JwtSecret, Limits, Quotas, Serving, Settings},
    token::{ApplicationGrant, Grant, mint},
};
