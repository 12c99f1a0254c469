//! Decisions without side effects.
//!
//! Everything that Postrider *decides* is here as plain data and functions: which endpoints get
//! a message, when to retry, whether an endpoint may be called, which delivery is sent next.
//! Nothing here opens a socket, reads a clock or draws a random number; callers pass the time and
//! randomness in.

pub mod access;
pub mod address;
pub mod alert;
pub mod audit;
pub mod backlog;
pub mod batch_request;
pub mod breaker;
pub mod budget;
pub mod catalog;
pub mod cause;
pub mod client_identity;
pub mod concurrency;
pub mod connections;
pub mod connector_template;
pub mod credentials;
pub mod data_format;
pub mod data_rate;
pub mod declaration;
pub mod delivery;
pub mod dispatch;
pub mod fields;
pub mod filter;
#[cfg(test)]
mod fixtures;
pub mod guess_limit;
pub mod hash;
pub mod health;
pub mod hops;
pub mod json_schema;
pub mod kind;
pub mod lane_state;
pub mod limiter;
pub mod live;
pub mod mcp;
pub mod message;
pub mod names;
pub mod oauth;
pub mod openapi;
pub mod outcome;
pub mod own_urls;
pub mod pace;
mod path;
pub mod payload_match;
pub mod polling;
pub mod ports;
pub mod process;
mod protected_headers;
pub mod proxy;
pub mod queue;
pub mod request;
pub mod retry;
pub mod retry_after;
pub mod schema_example;
pub mod schema_report;
pub mod shadow;
pub mod shards;
pub mod sign_in;
pub mod signing;
pub mod slots;
pub mod statistics;
pub mod svix_key;
pub mod target;
pub mod template;
pub mod time;
pub mod trace;
pub mod transformation;
pub mod vault;
