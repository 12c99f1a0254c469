//! `postrider config`.

use clap::Args;

use crate::{
    arguments::ConfigArguments,
    config::{effective, load, reference},
    output,
};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print the page that documents every key instead
    #[arg(long)]
    reference: bool,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.reference {
        output::text(&reference())
    } else {
        output::text(&effective(&load(&arguments.config.overrides())?))
    }
}
