//! The task `tidy`.

use anyhow::bail;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> anyhow::Result<()> {
    bail!("this task has no checks yet")
}
