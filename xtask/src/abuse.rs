//! The task `abuse`: the attacks of the test suite, for longer and with strict bounds.

use std::process::Command;

use anyhow::{Context, ensure};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only the attacks whose name contains this
    filter: Option<String>,
}

/// Runs one attack after another against an optimized build, and prints what each did to its
/// neighbour.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["test", "--release", "--package", "postrider-cli", "--all-features"])
        .args(["--test", "abuse"])
        .args(&arguments.filter)
        .args(["--", "--nocapture", "--test-threads=1"])
        .env("POSTRIDER_TEST_ABUSE", "long")
        .status()
        .context("cargo test")?;
    ensure!(status.success(), "an attack succeeded, or delayed others");
    Ok(())
}
