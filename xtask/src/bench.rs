//! The task `bench`: Postrider beside a forwarder that stores nothing, on this machine, now.

use anyhow::bail;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: Arguments) -> anyhow::Result<()> {
    bail!("this task measures nothing yet")
}
