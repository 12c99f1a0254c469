//! Runs deliveries: accepts messages, sends them, records the results.
//!
//! [`Engine`] is the handle that the surface holds. Behind it each shard has one driver,
//! which owns a dispatcher and everything that is in memory of its applications.

mod clock;
mod directory;
mod engine;
mod limits;

pub use crate::{
    clock::Clock,
    directory::{Directory, Entry},
    engine::{Engine, Submission, SubmitError, Submitted},
    limits::Limits,
};
