//! `postrider migrate`.

use clap::Args;
use postrider_store::PostgresStore;

use crate::{
    arguments::ConfigArgs,
    config::{Overrides, load},
    failure::{self, Advice},
    output, settings,
};

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// PostgreSQL database to upgrade
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Migrate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let database_url = self.database_url;
        let config = load(&Overrides { database_url, ..self.config.overrides() })?.config;
        let Some(url) = &config.database_url else {
            return Err(failure::usage(Advice {
                message: "no database is configured".to_owned(),
                hint: "set --database-url, or `database_url` in the configuration; a data folder \
                       is upgraded when a server opens it"
                    .to_owned(),
                source: None,
            }));
        };
        let options = settings::database(&config, url);
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
}
