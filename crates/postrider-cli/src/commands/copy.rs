//! `postrider copy`: copies an installation to another store.

mod location;
mod messages;
mod progress;
mod secrets;

use std::process::ExitCode;

use clap::Args;
use postrider_store::{
    EmbeddedTransferStore, PostgresTransferStore,
    transfer::{self, CopyError, CopyReport, TransferOpenError, TransferStore},
};

use self::{location::Location, progress::Meter, secrets::FoundSecret};
use crate::{
    arguments::ConfigArgs,
    config::{Config, Overrides, load},
    failure, output, random, settings,
};

/// Copies an installation to another store: a data folder or a database
///
/// Copies everything, including pending deliveries. No server may use either store while the copy
/// runs. To resume an interrupted copy, run the same command again.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Copy {
    /// Data folder or database to copy
    #[arg(long, value_name = "DIR|URL")]
    from: Location,
    /// Data folder or database to copy to; it must be empty
    #[arg(long, value_name = "DIR|URL")]
    to: Location,
    /// Data folder with the secrets, if --from is a database [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

const EXAMPLES: &str = "\
Examples:
  postrider copy --from ./postrider-data --to postgres://user:password@host/database
  postrider copy --from postgres://user:password@host/database --to ./new-data";

impl Copy {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, data, from, to } = self;
        let config = load(&Overrides { data_dir: data, ..config.overrides() })?.config;
        if from.is_same_folder(&to) {
            return Err(failure::usage(messages::refused(&from, &to, transfer::CopyRefusal::Same)));
        }
        let (copied, found) = super::on_runtime(copy(&config, &from, &to))?;
        output::text(&messages::table(&from, &to, &copied))?;
        if !copied.is_complete() {
            return Err(messages::differs(&to).into());
        }
        output::text(&messages::next_steps(&from, &to, &found))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn copy(
    config: &Config,
    from: &Location,
    to: &Location,
) -> anyhow::Result<(CopyReport, [FoundSecret; 2])> {
    let source = open_source(config, from);
    let source = source.await.map_err(|error| messages::unusable(from, error))?;
    let found = secrets::find(config, from).await?;
    let target = open_target(config, to);
    let target = target.await.map_err(|error| messages::unusable(to, error))?;
    let copy_id = u64::from_le_bytes(random::bytes()?);
    let mut meter = Meter::new();
    let report =
        |progress: &transfer::Progress, all: &transfer::RecordCounts| meter.show(progress, all);
    let copied = transfer::copy(&*source, &*target, copy_id, report).await;
    meter.finish();
    let copied = copied.map_err(|error| match error {
        CopyError::Refused(refusal) => messages::refused(from, to, refusal).into(),
        CopyError::Source(error) => failure::of_store(error).context(from.to_string()),
        CopyError::Target(error) => failure::of_store(error).context(to.to_string()),
    })?;
    if copied.is_complete() {
        secrets::store(config, &found, to).await?;
    }
    Ok((copied, found))
}

async fn open_source(
    config: &Config,
    store: &Location,
) -> Result<Box<dyn TransferStore>, TransferOpenError> {
    match store {
        Location::Folder(folder) => {
            let options = settings::store(config);
            Ok(Box::new(EmbeddedTransferStore::source(folder, &options)?))
        },
        Location::Database(url) => {
            let options = settings::database(config, url);
            Ok(Box::new(PostgresTransferStore::source(options).await?))
        },
    }
}

async fn open_target(
    config: &Config,
    store: &Location,
) -> Result<Box<dyn TransferStore>, TransferOpenError> {
    match store {
        Location::Folder(folder) => {
            let options = settings::store(config);
            Ok(Box::new(EmbeddedTransferStore::target(folder, &options)?))
        },
        Location::Database(url) => {
            let options = settings::database(config, url);
            Ok(Box::new(PostgresTransferStore::target(options).await?))
        },
    }
}
