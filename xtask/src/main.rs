//! Tasks of the project itself: the benchmark, and the checks that no lint can make.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod abuse;
mod bench;
mod corpus;
mod dist;
mod metadata;
mod release_check;
mod seeds;
mod soak;
mod tidy;

#[derive(Debug, Parser)]
#[command(name = "xtask", about = "Tasks of the project itself")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs the attacks of the test suite for longer, with strict bounds
    Abuse(abuse::Arguments),
    /// Measures Postrider against a forwarder that stores nothing
    Bench(bench::Arguments),
    #[command(subcommand, hide = true)]
    BenchPart(bench::Part),
    /// Makes the packages of a release: tarball, Debian, RPM, image, chart, SBOM and checksums
    Dist(dist::Arguments),
    /// Checks the packages that `dist` has made, in a Debian of their own; needs root
    ReleaseCheck(release_check::Arguments),
    /// Writes the corpus that scripts/fuzz begins with
    Corpus(corpus::Arguments),
    /// Runs all simulations of the engine with many seeds
    Seeds(seeds::Arguments),
    /// Runs a mixed load for hours against a record of what must arrive
    Soak(soak::Arguments),
    /// Checks sizes, import cycles, banned words, and what crates depend on
    Tidy(tidy::Arguments),
}

#[expect(clippy::print_stderr, reason = "a command line tool reports its failure there")]
fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Abuse(arguments) => abuse::run(&arguments),
        Task::Bench(arguments) => bench::run(arguments),
        Task::BenchPart(part) => bench::run_part(part),
        Task::Corpus(arguments) => corpus::run(&arguments),
        Task::Dist(arguments) => dist::run(&arguments),
        Task::ReleaseCheck(arguments) => release_check::run(&arguments),
        Task::Seeds(arguments) => seeds::run(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Tidy(arguments) => tidy::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        },
    }
}
