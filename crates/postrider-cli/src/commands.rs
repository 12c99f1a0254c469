//! What each command does.

pub(crate) mod api;
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
        Command::Send(send) => send.run()?,
        Command::App { server, command } => server.run(command.query()?)?,
        Command::Endpoint { server, command } => server.run(command.query()?)?,
        Command::EventType { server, command } => server.run(command.query()?)?,
        Command::Message { server, command } => server.run(command.query()?)?,
        Command::Attempt { server, command } => server.run(command.query()?)?,
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "postrider", &mut std::io::stdout());
        },
    }
    Ok(ExitCode::SUCCESS)
}
