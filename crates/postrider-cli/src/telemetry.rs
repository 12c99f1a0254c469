//! Writes the log to standard error.

mod json;

use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use self::json::format_as_json;
use crate::config::{Config, LogFormat};

/// Libraries whose messages are repeated by ours, without payloads and credentials. `lapin` logs
/// each message that a broker returns.
const QUIET: &str = "lapin=off,async_nats=off";

/// Starts the log: text on a terminal, JSON elsewhere, unless configured.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = format!("{QUIET},{}", config.log_level.0);
    let filter = EnvFilter::try_new(filter).context("invalid `log_level`")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let is_terminal = io::stderr().is_terminal();
    let is_json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    if is_json {
        format_as_json(builder).init();
    } else {
        builder.with_ansi(is_terminal).with_target(false).init();
    }
    Ok(())
}
