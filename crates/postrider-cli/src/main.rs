//! The `postrider` binary: the server, and the commands around it.

mod arguments;
mod client;
mod commands;
mod config;
mod failure;
mod node;
mod output;
mod secrets;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, failure::report};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    commands::run(arguments).unwrap_or_else(|error| report(&error))
}
