//! What each command does.

pub(crate) mod api;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod copy;
mod dev;
pub(crate) mod listen;
mod migrate;
pub(crate) mod provider;
pub(crate) mod providers;
pub(crate) mod replay;
mod serve;
pub(crate) mod signature;
mod target;
pub(crate) mod token;
pub(crate) mod trigger;
pub(crate) mod verify;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::CommandFactory;

use crate::{
    arguments::{Arguments, Command},
    config::parse_duration,
    output,
};

/// Runs the command, and tells how the process ends.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve(arguments) => return serve::run(arguments),
        Command::Dev(arguments) => return dev::run(arguments),
        Command::Openapi => output::text(&postrider_server::openapi())?,
        Command::Token(command) => token::run(command)?,
        Command::Sign(sign) => sign.run()?,
        Command::Verify(verify) => return Ok(verify.run()),
        Command::Providers(providers) => return providers.run(),
        Command::Trigger(trigger) => return Ok(trigger.run()),
        Command::Check(check) => return Ok(check.run()),
        Command::Config(arguments) => config::run(arguments)?,
        Command::Backup(backup) => backup.run()?,
        Command::Migrate(arguments) => migrate::run(arguments)?,
        Command::Copy(copy) => return copy.run(),
        Command::Send(send) => send.run()?,
        Command::App { server, command } => server.run(command.query()?)?,
        Command::Endpoint { server, command } => server.run(command.query()?)?,
        Command::EventType { server, command } => server.run(command.query()?)?,
        Command::Message { server, command } => server.run(command.query()?)?,
        Command::Attempt { server, command } => server.run(command.query()?)?,
        Command::Source { server, command } => command.run(server)?,
        Command::Listen(listen) => return listen.run(),
        Command::Replay(replay) => return replay.run(),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "postrider", &mut std::io::stdout());
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs on a runtime of one thread, and does not wait for what it leaves behind.
fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(Box::pin(work));
    runtime.shutdown_background();
    result
}

/// Reads a flag.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 30d or 1h".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a command that runs once has no clock to ask")]
fn now() -> anyhow::Result<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")
}
