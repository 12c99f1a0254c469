//! What each command does.

pub(crate) mod config;
pub(crate) mod token;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::arguments::{Arguments, Command};

/// Runs the command, and tells how the process ends.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve(_) => anyhow::bail!("not yet"),
        Command::Token(command) => token::run(command)?,
        Command::Config(arguments) => config::run(arguments)?,
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "postrider", &mut std::io::stdout());
        },
    }
    Ok(ExitCode::SUCCESS)
}
