//! Decisions, without effects.
//!
//! Everything that the engine must *decide* lives here as plain data and plain functions:
//! which endpoints want a message, when to retry, whether an endpoint may be called now,
//! what leaves next. Nothing here opens a socket, reads a clock or draws a random number;
//! callers pass `now` and randomness in.

pub mod address;
pub mod backlog;
pub mod breaker;
pub mod budget;
pub mod catalog;
pub mod connections;
pub mod delivery;
pub mod dispatch;
pub mod filter;
#[cfg(test)]
mod fixtures;
pub mod guess;
pub mod health;
pub mod hops;
pub mod limiter;
pub mod message;
pub mod names;
pub mod outcome;
pub mod own;
pub mod pace;
pub mod ports;
pub mod proxy;
pub mod request;
pub mod retry;
pub mod retry_after;
pub mod time;
pub mod transfer;
pub mod vault;
