//! `postrider config`.

use clap::Args;

use crate::{
    arguments::AllConfigArgs,
    config::{effective, load, reference},
    output,
};

#[derive(Args, Debug)]
#[command(
    after_help = "Each value is followed by its origin: a file and line, a variable or a flag."
)]
pub(crate) struct PrintConfig {
    #[command(flatten)]
    config: AllConfigArgs,
    /// Print the reference page of all configuration keys instead
    #[arg(long)]
    reference: bool,
}

impl PrintConfig {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.reference {
            output::text(&reference())
        } else {
            output::text(&effective(&load(&self.config.overrides())?))
        }
    }
}
