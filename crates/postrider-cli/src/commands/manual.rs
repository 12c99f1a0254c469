//! `postrider manual`.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;

/// Writes the manual pages, one for each command
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Manual {
    /// Folder for the pages; it is created if it does not exist
    folder: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  postrider manual ~/.local/share/man/man1";

impl Manual {
    pub(crate) fn run(self, commands: clap::Command) -> anyhow::Result<()> {
        let written = fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(commands, &self.folder));
        written.with_context(|| format!("cannot write to {}", self.folder.display()))
    }
}
