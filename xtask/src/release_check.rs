//! The task `release-check`: what takes too long for every change, or needs root.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::metadata::Metadata;

/// The checks, relative to the workspace.
const SCRIPT: &str = "packaging/release-check";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    let metadata = Metadata::read()?;
    let script = Path::new(&metadata.workspace_root).join(SCRIPT);
    let status = Command::new(&script).status().with_context(|| script.display().to_string())?;
    ensure!(status.success(), "{SCRIPT} failed");
    Ok(())
}
