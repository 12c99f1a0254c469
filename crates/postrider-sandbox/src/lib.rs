//! Runs JavaScript of customers in confined processes.
//!
//! A [`Sandbox`] starts worker processes and shares them among owners. A worker locks itself down
//! before it reads the first script, and its parent trusts nothing that it sends. Each run has a
//! JavaScript runtime of its own, so no run can see another one. `docs/decisions/sandbox.md` has
//! the reasons and the measurements.

mod clock;
mod confine;
mod connection;
mod counts;
mod engine;
mod frame;
mod host;
mod idle;
mod options;
mod pool;
mod queue;
mod reply;
mod request;
mod run;
mod sandbox;
mod value;
mod worker;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use crate::{
    confine::confinement,
    counts::SandboxCounts,
    options::{Isolation, Launch, SandboxOptions, WORKER_COMMAND},
    run::{Returned, Run, RunError, RunErrorKind, Script},
    sandbox::Sandbox,
    worker::worker,
};
