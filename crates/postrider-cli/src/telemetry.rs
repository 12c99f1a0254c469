//! Writes the log to standard error.

use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts the log: text on a terminal, JSON elsewhere, unless configured.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_level.0).context("invalid `log_level`")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let is_terminal = io::stderr().is_terminal();
    let is_json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    if is_json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(is_terminal).with_target(false).init();
    }
    Ok(())
}
