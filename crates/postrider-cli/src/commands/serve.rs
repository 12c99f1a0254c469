//! `postrider serve`.

use crate::{arguments::ConfigArguments, config::load};

pub(crate) fn run(arguments: ConfigArguments) -> anyhow::Result<()> {
    let _config = load(&arguments.overrides())?.config;
    anyhow::bail!("not yet")
}
