//! The `postrider` binary: the server, and the commands around it.

mod arguments;
mod client;
mod commands;
mod config;
mod descriptors;
mod exchange;
mod failure;
mod node;
mod output;
mod secrets;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, failure::report};

/// Messages are made on one thread and freed on others, which the C library's allocator takes
/// a sixth of the server's time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    commands::run(arguments).unwrap_or_else(|error| report(&error))
}
