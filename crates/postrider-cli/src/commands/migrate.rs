//! `postrider migrate`.

use std::process::ExitCode;

use clap::Args;
use postrider_core::data_format::Opening;
use postrider_store::{
    EmbeddedStore, FormatReport, Maintenance, PostgresStore, ProgramVersion, format_of,
};

use crate::{
    arguments::ConfigArgs,
    config::{Config, DatabaseUrl, Overrides, load},
    failure::{self, Advice},
    output, settings,
};

/// Upgrades the format of the data, or says what an upgrade would do
///
/// A server also upgrades the data when it starts. With --check, nothing is changed, and the server
/// may be running. The exit code is then 0 if this version can use the data and an upgrade can be
/// rolled back, 1 if earlier versions cannot use the data after the upgrade, and 2 if this version
/// cannot use it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Migrate {
    /// Data folder to upgrade [default: ./postrider-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// PostgreSQL database to upgrade
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Only print the formats of the data and of this version, and what an upgrade means
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

const EXAMPLES: &str = "\
Examples:
  postrider migrate --check --data /var/lib/postrider
  postrider migrate --database-url postgres://user:password@host/database";

impl Migrate {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { data, database_url, check, config } = self;
        let config =
            load(&Overrides { data_dir: data, database_url, ..config.overrides() })?.config;
        if check {
            return Ok(self::check(&config).unwrap_or_else(|it| failure::usage_error(&it)));
        }
        match &config.database_url {
            Some(url) => migrate_database(&config, url)?,
            None => migrate_folder(&config)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn migrate_database(config: &Config, url: &DatabaseUrl) -> anyhow::Result<()> {
    let options = settings::database(config, url);
    let migrated = super::on_runtime(async move {
        PostgresStore::migrate(&options).await.map_err(failure::of_store)
    })?;
    let (from, to) = (migrated.from, migrated.to);
    if from == to {
        output::line(format_args!("{url} already has schema version {to}"))
    } else {
        output::line(format_args!("upgraded the schema of {url} from version {from} to {to}"))
    }
}

fn migrate_folder(config: &Config) -> anyhow::Result<()> {
    let (folder, found) = (config.data_dir.display(), folder_format(config)?);
    if found.opening() == Opening::Use || found.opening() == Opening::UseLater {
        return output::line(format_args!("{folder} already has format {}", found.found.version));
    }
    let store = EmbeddedStore::open(&config.data_dir, &settings::store(config));
    let store = store.map_err(failure::of_store)?;
    super::on_runtime(async move { store.close().await.map_err(failure::of_store) })?;
    let (from, to) = (found.found.version, found.own.version);
    output::line(format_args!("upgraded {folder} from format {from} to {to}"))
}

/// The format of the configured data folder, which has to exist.
fn folder_format(config: &Config) -> anyhow::Result<FormatReport> {
    let found = format_of(&config.data_dir).map_err(failure::of_store)?;
    found.ok_or_else(|| {
        failure::usage(Advice {
            message: format!("{} contains no data", config.data_dir.display()),
            hint: "set --data or --database-url to what the server uses".to_owned(),
            source: None,
        })
    })
}

fn check(config: &Config) -> anyhow::Result<ExitCode> {
    let (place, found, backup) = if let Some(url) = &config.database_url {
        let options = settings::database(config, url);
        let found = super::on_runtime(async move {
            PostgresStore::format(&options).await.map_err(failure::of_store)
        })?;
        (url.to_string(), found, "back up the database")
    } else {
        let place = config.data_dir.display().to_string();
        (place, folder_format(config)?, "make a copy with `postrider backup`")
    };
    output::text(&describe(&place, &found, backup))?;
    Ok(ExitCode::from(match found.opening() {
        Opening::Use | Opening::UseLater | Opening::Upgrade { is_reversible: true } => 0,
        Opening::Upgrade { is_reversible: false } if found.found.version == 0 => 0,
        Opening::Upgrade { is_reversible: false } => 1,
        Opening::Refuse => 2,
    }))
}

/// The formats, and what this version does with the data; `backup` says how to make one.
fn describe(place: &str, report: &FormatReport, backup: &str) -> String {
    let FormatReport { found, written_by, own } = report;
    let writer = written_by.map_or_else(String::new, |it| format!(", set by Postrider {it}"));
    let earliest = own.usable_from;
    let meaning = match report.opening() {
        Opening::Upgrade { .. } if found.version == 0 => {
            return format!("{place} contains no data\n");
        },
        Opening::Use => {
            format!("nothing to upgrade; versions with format {earliest} or later can use it")
        },
        Opening::UseLater => "it can use the data and leaves its format as it is".to_owned(),
        Opening::Upgrade { is_reversible: true } => format!(
            "its next start upgrades the data; versions with format {earliest} or later can use it \
             afterwards, so you can go back"
        ),
        Opening::Upgrade { is_reversible: false } => format!(
            "its next start upgrades the data; earlier versions cannot use it afterwards, so {backup} \
             first"
        ),
        Opening::Refuse => format!("it cannot use the data; install {}", report.writer()),
    };
    format!(
        "{place} has format {}{writer}\nPostrider {} has format {}: {meaning}\n",
        found.version,
        ProgramVersion::own(),
        own.version
    )
}

#[cfg(test)]
mod tests {
    use postrider_core::data_format::DataFormat;

    use super::*;

    #[test]
    fn a_check_says_what_an_upgrade_means() {
        let own = DataFormat { version: 12, usable_from: 11 };
        for (version, usable_from, expected) in [
            (0, 0, "D contains no data\n"),
            (12, 11, "nothing to upgrade; versions with format 11 or later can use it\n"),
            (
                11,
                11,
                "versions with format 11 or later can use it afterwards, so you can go back\n",
            ),
            (10, 10, "earlier versions cannot use it afterwards, so make a backup first\n"),
            (13, 12, "it can use the data and leaves its format as it is\n"),
            (13, 13, "it cannot use the data; install a later version\n"),
        ] {
            let found = DataFormat { version, usable_from };
            let report = FormatReport { found, written_by: None, own };
            let said = describe("D", &report, "make a backup");
            assert!(said.ends_with(expected), "{found:?}: {said}");
        }
    }
}
