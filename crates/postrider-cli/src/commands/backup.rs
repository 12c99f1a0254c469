//! `postrider backup`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::{
    arguments::ConfigArgs,
    config::{Overrides, load},
    failure, output, secrets,
};

/// Copies the data folder, even while its server is running
///
/// The copy is a complete data folder with the secrets: `postrider serve --data <TO>` starts from
/// it. The messages and attempts in it are compared with their checksums; if one is damaged, the copy
/// is kept and the command fails.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backup {
    /// Data folder to copy [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder to create for the copy
    to: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  postrider backup --data /var/lib/postrider /backup/postrider-$(date +%F)";

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let overrides = Overrides { data_dir: self.data, ..self.config.overrides() };
        let config = load(&overrides)?.config;
        let folder = config.data_dir.display().to_string();
        let found = postrider_store::backup(&config.data_dir, &self.to)
            .map_err(failure::of_store)
            .with_context(|| format!("{folder} cannot be copied"))?;
        secrets::copy(&config.data_dir, &self.to)?;
        found.require_intact(&self.to).map_err(failure::of_store)?;
        output::line(format_args!("copied {folder} to {}", self.to.display()))
    }
}
