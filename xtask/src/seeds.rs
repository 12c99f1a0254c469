//! The task `seeds`: all simulations of the engine with many seeds, and what their histories
//! contained.

use std::{
    collections::BTreeMap, fmt::Write as _, path::PathBuf, process::Command, time::Duration,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::bench::{
    clock,
    console::{progress, show},
};

/// From so many seeds on, histories contain all that can be counted.
const COVERING_SEEDS: u64 = 500;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed; `--seeds 1` repeats a single one
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Builds without optimization
    #[arg(long)]
    debug: bool,
    /// Writes the report to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the test says.
#[derive(Debug, Default, Deserialize)]
struct Outcome {
    histories: u64,
    coverage: BTreeMap<String, u64>,
    broken: Vec<Broken>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Broken {
    seed: u64,
    simulation: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Report {
    first: u64,
    seeds: u64,
    seconds: f64,
    histories: u64,
    /// How often each fault was injected, and each rare state reached.
    coverage: BTreeMap<String, u64>,
    broken: Vec<Broken>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let outcome_path = folder.path().join("seeds.json");
    let end = arguments.first + arguments.seeds;
    test(arguments, &["--no-run"]).status().context("cargo test")?;
    let started = clock::now();
    let status = test(arguments, &["seeds::", "--", "--nocapture"])
        .env("POSTRIDER_TEST_SEEDS", format!("{}..{end}", arguments.first))
        .env("POSTRIDER_TEST_SEEDS_REPORT", &outcome_path)
        .status()
        .context("cargo test")?;
    let outcome = std::fs::read(&outcome_path).context("the simulations did not run to the end")?;
    let outcome: Outcome = serde_json::from_slice(&outcome)?;
    let report = Report::new(arguments, outcome, started.elapsed());
    show(&report.text());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    ensure!(status.success() && report.broken.is_empty(), "a simulation broke a law");
    let missing = report.missing();
    ensure!(missing.is_empty(), "no history contained: {}", missing.join(", "));
    Ok(())
}

fn test(arguments: &Arguments, rest: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.arg("test").args((!arguments.debug).then_some("--release"));
    cargo.args(["--package", "postrider-engine", "--all-features", "--test", "it"]).args(rest);
    cargo
}

impl Report {
    fn new(arguments: &Arguments, outcome: Outcome, time: Duration) -> Self {
        let Outcome { histories, coverage, broken } = outcome;
        let Arguments { seeds, first, .. } = *arguments;
        Self { first, seeds, seconds: time.as_secs_f64(), histories, coverage, broken }
    }

    fn text(&self) -> String {
        let Self { first, seeds, seconds, histories, .. } = self;
        let last = (first + seeds).saturating_sub(1);
        let mut text =
            format!("seeds {first} to {last}: {histories} histories in {seconds:.0} s\n");
        let mut line = |line: String| writeln!(text, "{line}").expect("a text takes everything");
        for (what, times) in &self.coverage {
            line(format!("  {times:>12}  {what}"));
        }
        for Broken { seed, simulation, message } in &self.broken {
            line(format!("  BROKEN: seed {seed}, {simulation}: {message}"));
            line(format!("    repeat it with: cargo xtask seeds --first {seed} --seeds 1"));
        }
        text
    }

    /// What no history contained although enough of them were simulated.
    fn missing(&self) -> Vec<String> {
        if self.seeds < COVERING_SEEDS {
            progress("too few seeds to expect every fault and state");
            return Vec::new();
        }
        let missing = self.coverage.iter().filter(|(_, times)| **times == 0);
        let missing = missing.filter(|(what, _)| !what.starts_with("rare: "));
        missing.map(|(what, _)| what.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seeds: u64, times: u64) -> Report {
        let broken =
            Broken { seed: 7, simulation: "crashes".to_owned(), message: "lost".to_owned() };
        let coverage = BTreeMap::from([("fault: node killed".to_owned(), times)]);
        Report { first: 0, seeds, seconds: 1.0, histories: 12, coverage, broken: vec![broken] }
    }

    #[test]
    fn a_broken_history_is_shown_with_the_command_that_repeats_it() {
        let text = report(100, 1).text();
        assert!(text.contains("cargo xtask seeds --first 7 --seeds 1"), "{text}");
    }

    #[test]
    fn what_no_history_contained_is_missing_if_there_were_enough() {
        assert_eq!(report(COVERING_SEEDS, 0).missing(), ["fault: node killed"]);
        assert!(report(COVERING_SEEDS, 1).missing().is_empty());
        assert!(report(10, 0).missing().is_empty());
    }
}
