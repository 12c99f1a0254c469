//! Groups of flags that several commands share.

use std::path::PathBuf;

use clap::Args;

use crate::config::Overrides;

/// The configuration file, and settings without a flag of their own.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: postrider.toml if it exists]
    #[arg(long, value_name = "FILE", env = "POSTRIDER_CONFIG")]
    config: Option<PathBuf>,
    /// Set any configuration key; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Where an installation stores its data.
#[derive(Args, Debug)]
pub(crate) struct StoreArgs {
    /// Data folder [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// PostgreSQL database to use instead of the data folder
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// All flags that set a configuration key.
#[derive(Args, Debug)]
pub(crate) struct AllConfigArgs {
    /// Address and port to listen on [default: 127.0.0.1:8071]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// The flags of commands that start a server.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub config: AllConfigArgs,
    /// Start even though the data folder has lost data, and continue without the lost part
    #[arg(long)]
    pub accept_loss: bool,
}

impl ConfigArgs {
    pub(crate) fn overrides(self) -> Overrides {
        Overrides { file: self.config, set: self.set, ..Overrides::default() }
    }
}

impl StoreArgs {
    pub(crate) fn overrides(self) -> Overrides {
        let Self { data, database_url, config } = self;
        Overrides { data_dir: data, database_url, ..config.overrides() }
    }
}

impl AllConfigArgs {
    pub(crate) fn overrides(self) -> Overrides {
        Overrides { listen: self.listen, ..self.store.overrides() }
    }
}
