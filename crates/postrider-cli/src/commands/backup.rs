//! `postrider backup`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::{arguments::ConfigArguments, config::load, failure, output, secrets};

/// Copies the data folder, also while its server runs; the copy is a data folder itself.
#[derive(Args, Debug)]
pub(crate) struct Backup {
    #[command(flatten)]
    config: ConfigArguments,
    /// Folder for the copy; it is created
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = load(&self.config.overrides())?.config;
        let folder = config.data_dir.display().to_string();
        postrider_store::backup(&config.data_dir, &self.to)
            .map_err(failure::of_store)
            .with_context(|| format!("{folder} cannot be copied"))?;
        secrets::copy(&config.data_dir, &self.to)?;
        output::line(format_args!("{folder} was copied to {}", self.to.display()))
    }
}
