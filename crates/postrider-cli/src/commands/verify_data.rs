//! `postrider verify-data`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use postrider_store::VerifiedRows;

use crate::{
    arguments::ConfigArgs,
    config::{Overrides, load},
    failure, output,
};

/// Reads the whole data folder and lists what is damaged, even while its server is running
///
/// Compares all messages and attempts with their checksums, decodes all other records and compares
/// them with the columns by which they are found, and checks the structure of the files.
/// Changes nothing. Exits with 0 if nothing is damaged, with 1 if something is, and with 2 if the
/// folder cannot be read.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyData {
    /// Data folder to read [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

const EXAMPLES: &str = "\
Examples:
  postrider verify-data --data /var/lib/postrider
  postrider verify-data --data /backup/postrider-2026-11-28";

impl VerifyData {
    pub(crate) fn run(self) -> ExitCode {
        match self.verify() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failure::usage_error(&error),
        }
    }

    /// Whether nothing is damaged.
    fn verify(self) -> anyhow::Result<bool> {
        let overrides = Overrides { data_dir: self.data, ..self.config.overrides() };
        let config = load(&overrides)?.config;
        let folder = config.data_dir.display();
        let found = postrider_store::verify(&config.data_dir)
            .map_err(failure::of_store)
            .with_context(|| format!("{folder} cannot be verified"))?;
        let VerifiedRows { messages, attempts, others, without_checksum, damage } = found;
        for description in &damage {
            output::line(format_args!("{description}"))?;
        }
        output::line(format_args!(
            "read {messages} messages, {attempts} attempts and {others} other rows in {folder}"
        ))?;
        if without_checksum > 0 {
            output::line(format_args!(
                "{without_checksum} of them were stored by an earlier version, without a checksum"
            ))?;
        }
        if damage.is_empty() {
            output::line(format_args!("nothing is damaged"))?;
        } else {
            output::line(format_args!(
                "check the disk, and restore the folder from a backup, or copy what can be read with \
                 `postrider salvage`; see docs/operations.md#damaged-data"
            ))?;
        }
        Ok(damage.is_empty())
    }
}
