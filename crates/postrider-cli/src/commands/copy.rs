//! `postrider copy`.

mod progress;
mod secrets;
mod words;

use std::{path::PathBuf, process::ExitCode, str::FromStr};

use clap::Args;
use postrider_store::{
    EmbeddedTransferStore, PostgresTransferStore,
    transfer::{self, CopyError, CopyReport, TransferOpenError, TransferStore},
};
use rand::{TryRngCore, rngs::OsRng};

use self::{progress::Meter, secrets::Found};
use crate::{
    arguments::ConfigArguments,
    config::{Config, DatabaseUrl, load},
    failure, output, settings,
};

/// Moves everything that is stored, with what is still to be delivered, to another store.
///
/// No server may use either of the two meanwhile. A copy that was interrupted goes on where it
/// was when the same command is run again.
#[derive(Args, Debug)]
pub(crate) struct Copy {
    #[command(flatten)]
    config: ConfigArguments,
    /// Data folder or URL of the database to copy
    #[arg(long, value_name = "DIR|URL")]
    from: Store,
    /// Data folder or URL of the database to copy to; nothing may be in it
    #[arg(long, value_name = "DIR|URL")]
    to: Store,
}

/// Where an installation is, or is to be.
#[derive(Clone, Debug)]
enum Store {
    Folder(PathBuf),
    Database(DatabaseUrl),
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        match postrider_store::database_location(text) {
            Some(_) => Ok(Self::Database(DatabaseUrl(text.to_owned()))),
            None => Err("expected a folder, or postgres://user@host/database".to_owned()),
        }
    }
}

impl std::fmt::Display for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Database(url) => url.fmt(f),
        }
    }
}

impl Copy {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, from, to } = self;
        let config = load(&config.overrides())?.config;
        if same_folder(&from, &to) {
            return Err(failure::usage(words::refused(&from, &to, transfer::CopyRefusal::Same)));
        }
        let (copied, found) = super::on_runtime(copy(&config, &from, &to))?;
        output::text(&words::table(&from, &to, &copied))?;
        if !copied.is_whole() {
            return Err(words::differs(&to).into());
        }
        output::text(&words::next_steps(&from, &to, &found))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn copy(
    config: &Config,
    from: &Store,
    to: &Store,
) -> anyhow::Result<(CopyReport, [Found; 2])> {
    let unusable = |store: &Store, error| words::unusable(store, error);
    let source = open_source(config, from).await.map_err(|error| unusable(from, error))?;
    let found = secrets::find(config, from).await?;
    let target = open_target(config, to).await.map_err(|error| unusable(to, error))?;
    let number = OsRng.try_next_u64()?;
    let mut meter = Meter::new();
    let tell =
        |progress: &transfer::Progress, all: &transfer::RecordCounts| meter.show(progress, all);
    let copied = transfer::copy(&*source, &*target, number, tell).await;
    meter.end();
    let copied = copied.map_err(|error| match error {
        CopyError::Refused(refusal) => words::refused(from, to, refusal).into(),
        CopyError::Source(error) => failure::of_store(error).context(from.to_string()),
        CopyError::Target(error) => failure::of_store(error).context(to.to_string()),
    })?;
    if copied.is_whole() {
        secrets::put(config, &found, to).await?;
    }
    Ok((copied, found))
}

async fn open_source(
    config: &Config,
    store: &Store,
) -> Result<Box<dyn TransferStore>, TransferOpenError> {
    match store {
        Store::Folder(folder) => {
            let options = settings::store(config);
            Ok(Box::new(EmbeddedTransferStore::source(folder, &options)?))
        },
        Store::Database(url) => {
            let options = settings::database(config, url);
            Ok(Box::new(PostgresTransferStore::source(options).await?))
        },
    }
}

async fn open_target(
    config: &Config,
    store: &Store,
) -> Result<Box<dyn TransferStore>, TransferOpenError> {
    match store {
        Store::Folder(folder) => {
            let options = settings::store(config);
            Ok(Box::new(EmbeddedTransferStore::target(folder, &options)?))
        },
        Store::Database(url) => {
            let options = settings::database(config, url);
            Ok(Box::new(PostgresTransferStore::target(options).await?))
        },
    }
}

fn same_folder(from: &Store, to: &Store) -> bool {
    let (Store::Folder(from), Store::Folder(to)) = (from, to) else { return false };
    matches!((from.canonicalize(), to.canonicalize()), (Ok(from), Ok(to)) if from == to)
}
