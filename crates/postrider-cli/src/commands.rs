//! The commands, one file each, and what most of them need.

mod access;
pub(crate) mod alert;
pub(crate) mod api;
pub(crate) mod apply;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod listen;
pub(crate) mod manual;
pub(crate) mod mcp;
pub(crate) mod migrate;
mod provider;
pub(crate) mod providers;
pub(crate) mod replay;
pub(crate) mod salvage;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod target;
pub(crate) mod token;
pub(crate) mod trigger;
pub(crate) mod verify;
pub(crate) mod verify_data;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use crate::config::parse_duration;

/// Runs the future on a runtime with one thread, and does not wait for tasks that it spawned.
fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(Box::pin(work));
    runtime.shutdown_background();
    result
}

/// Parses a flag.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 30d or 1h".to_owned())
}

/// Time since 1970.
#[expect(clippy::disallowed_methods, reason = "commands that run once have no engine with a clock")]
fn now() -> anyhow::Result<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).context("the system clock is before 1970")
}
