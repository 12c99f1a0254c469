//! The `postrider` binary: the server and its command line.

mod alerts;
mod arguments;
mod cli;
mod client;
mod commands;
mod config;
mod declared;
mod descriptors;
mod exchange;
mod failure;
mod input;
mod node;
mod output;
mod pages;
mod random;
mod secrets;
mod settings;
mod supervisor;
mod telemetry;
mod traces;

use std::process::ExitCode;

use clap::Parser;
use postrider_sandbox::WORKER_COMMAND;

use crate::{cli::Cli, failure::report};

/// Messages are allocated on one thread and freed on others. With the C library's allocator that
/// takes a sixth of the server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The server starts itself again to run scripts. A worker reads no arguments, files or
    // environment, and starts as fast as it can.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == WORKER_COMMAND) {
        return postrider_sandbox::worker();
    }
    // With huge pages, a few bytes in use keep 2 MiB resident. The allocator is built not to ask for
    // them (`no_thp`), but a system may give them to everyone. Without them, the server takes a
    // quarter less memory. A kernel that cannot is no reason to stop.
    rustix::thread::disable_transparent_huge_pages(true).ok();
    Cli::parse().run().unwrap_or_else(|error| report(&error))
}
