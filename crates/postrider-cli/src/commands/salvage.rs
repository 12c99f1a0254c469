//! `postrider salvage`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use postrider_store::Salvaged;

use crate::{
    arguments::ConfigArgs,
    config::{Overrides, load},
    failure, output, secrets,
};

/// Copies everything that can be read out of a damaged data folder
///
/// Stop the server first. The damaged folder is not changed. The copy is a complete data folder with
/// the secrets: `postrider serve --data <TO>` starts from it. Every row that was lost is listed. A
/// delivery whose attempt was lost may be repeated. Exits with 0 if nothing was lost, with 1 if
/// something was, and with 2 if nothing can be copied.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Salvage {
    /// Damaged data folder [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder to create for the copy; it needs up to twice the size of the damaged one
    to: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  postrider salvage --data /var/lib/postrider /var/lib/postrider-salvaged > salvaged.txt";

impl Salvage {
    pub(crate) fn run(self) -> ExitCode {
        match self.salvage() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failure::usage_error(&error),
        }
    }

    /// Whether nothing was lost.
    fn salvage(self) -> anyhow::Result<bool> {
        let overrides = Overrides { data_dir: self.data, ..self.config.overrides() };
        let config = load(&overrides)?.config;
        let folder = config.data_dir.display();
        let Salvaged { messages, attempts, others, lost } =
            postrider_store::salvage(&config.data_dir, &self.to)
                .map_err(failure::of_store)
                .with_context(|| format!("{folder} cannot be salvaged"))?;
        secrets::copy(&config.data_dir, &self.to)?;
        for what in &lost {
            output::line(format_args!("lost: {what}"))?;
        }
        output::line(format_args!(
            "copied {messages} messages, {attempts} attempts and {others} other rows to {}",
            self.to.display()
        ))?;
        if lost.is_empty() {
            output::line(format_args!("nothing was lost"))?;
        } else {
            output::line(format_args!(
                "keep {folder} until you have checked what was lost; see \
                 docs/operations.md#salvage"
            ))?;
        }
        Ok(lost.is_empty())
    }
}
