//! The task `release-check`: what takes too long for every change, or needs root.

use std::{env, path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::metadata::Metadata;

/// The checks, relative to the workspace.
const SCRIPT: &str = "packaging/release-check";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only build the last commit again, in another folder, and compare the packages
    #[arg(long)]
    reproduce: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let metadata = Metadata::read()?;
    let script = Path::new(&metadata.workspace_root).join(SCRIPT);
    let mut check = Command::new(&script);
    if arguments.reproduce {
        // The second build need not compile the tasks again.
        check.arg("--reproduce").env("XTASK", env::current_exe()?);
    }
    let status = check.status().with_context(|| script.display().to_string())?;
    ensure!(status.success(), "{SCRIPT} failed");
    Ok(())
}
