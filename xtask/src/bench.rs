//! The task `bench`: compares Postrider with a forwarder that stores nothing.
//!
//! The receiver, the generator and the reference run in separate processes, so that the CPU time
//! of each can be measured. They are subcommands of this program.

#![expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod arguments;
pub(crate) mod clock;
pub(crate) mod console;
mod fill;
mod forwarder;
mod generator;
pub(crate) mod latency;
mod load;
mod measure;
mod payload;
pub(crate) mod place;
pub(crate) mod postgres;
pub(crate) mod process;
mod receiver;
mod report;
mod rounds;
mod scenario;
pub(crate) mod subject;
mod tenant;
mod webhook;

use std::{os::unix::process::CommandExt, process::Command};

use anyhow::{Context, bail, ensure};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

pub(crate) use self::arguments::Arguments;
use self::{
    arguments::Scenario, console::show, fill::Filling, load::Bench, place::StoreKind,
    report::Report,
};

/// A process of the benchmark.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Part {
    Receiver,
    Forwarder {
        target: String,
    },
    Generator {
        order: String,
    },
    Fill {
        target: String,
        #[command(flatten)]
        filling: Filling,
    },
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    if !arguments.built {
        return build_and_run(arguments.scenarios.contains(&Scenario::Kinds));
    }
    let arguments = arguments.quickened();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        // Dropping what is measured ends its processes and removes its data.
        tokio::select! {
            result = measure(&arguments) => result,
            _ = interrupted.recv() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

pub(crate) fn run_part(part: Part) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match part {
        Part::Receiver => runtime.block_on(receiver::run()),
        Part::Forwarder { target } => runtime.block_on(forwarder::run(target)),
        Part::Fill { target, filling } => runtime.block_on(fill::run(&target, filling)),
        Part::Generator { order } => {
            runtime.block_on(generator::run(serde_json::from_str(&order)?))
        },
    }
}

fn build(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    let built = command.args(["build", "--release"]).args(arguments).status();
    ensure!(built.context("cargo build")?.success(), "the release build did not succeed");
    Ok(())
}

/// Builds this program and Postrider as they are released, and becomes the former.
fn build_and_run(with_kinds: bool) -> anyhow::Result<()> {
    let mut arguments = vec!["--package", "xtask", "--package", "postrider-cli"];
    if with_kinds {
        arguments.extend(["--features", "postrider-cli/full"]);
    }
    build(&arguments)?;
    if with_kinds {
        build(&[
            "--package",
            "postrider-sinks",
            "--features",
            "full",
            "--example",
            "plain_client",
        ])?;
    }
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(|profile| profile.parent()).context("no target")?;
    let arguments = std::env::args_os().skip(1);
    Err(Command::new(target.join("release/xtask")).args(arguments).arg("--built").exec().into())
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let binaries = program.parent().context("no folder")?;
    // In the same folder as the binaries, because /tmp may be in memory.
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(binaries)?;
    let mut bench = Bench::start(folder.path().to_owned()).await?;
    let mut report = Report {
        machine: process::machine(folder.path()),
        settings: arguments.settings(),
        ..Report::default()
    };
    if arguments.uses(StoreKind::Postgres) {
        report.settings.push(("PostgreSQL", bench.server().await?.words().await?));
    }
    rounds::run(&mut bench, arguments, &mut report).await?;
    for setup in arguments.scenario_setups() {
        for scenario in arguments.scenarios.iter().filter(|it| **it != Scenario::None) {
            if *scenario == Scenario::Kinds {
                report.kinds.extend(scenario::kinds(setup, &mut bench, arguments).await?);
                continue;
            }
            report.scenarios.push(scenario::run(*scenario, setup, &mut bench, arguments).await?);
        }
    }
    show(&if arguments.json { report.json().to_string() } else { report.table() });
    Ok(())
}
