//! Runs deliveries: accepts messages, sends them, records the results.
//!
//! [`Engine`] is the handle that the surface holds. Behind it each shard has one [`Driver`],
//! which owns a dispatcher and everything that is in memory of its applications; a
//! [`Sender`] makes the calls, and the [`Upkeep`] does what can wait.

mod cache;
pub mod certificates;
mod clock;
mod directory;
mod driver;
mod engine;
mod limits;
mod listener;
mod metrics;
mod operational;
mod running;
mod sender;
mod upkeep;

pub use crate::{
    cache::Cache,
    clock::Clock,
    directory::{Directory, Entry, OpenSource},
    driver::Driver,
    engine::{Engine, Rooms, Settings, Submission, SubmitError, Submitted},
    limits::Limits,
    listener::Listener,
    metrics::Metrics,
    running::{PartStopped, Running},
    sender::{
        Call, Dns, FetchError, HttpSender, Proxy, ProxyProtocol, Report, ResponseLimits, Sender,
        SenderOptions,
    },
    upkeep::Upkeep,
};
