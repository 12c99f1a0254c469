//! `postrider migrate`.

use postrider_store::PostgresStore;

use crate::{
    arguments::ConfigArguments,
    config::load,
    failure::{self, Advice},
    output, settings,
};

pub(crate) fn run(arguments: ConfigArguments) -> anyhow::Result<()> {
    let config = load(&arguments.overrides())?.config;
    let Some(url) = &config.database_url else {
        return Err(failure::usage(Advice {
            message: "no database is named".to_owned(),
            hint: "name it with --database-url, or with `database_url` in the configuration; a \
                   data folder is brought up to date when it is opened"
                .to_owned(),
            source: None,
        }));
    };
    let options = settings::database(&config, url);
    let migrated = super::on_runtime(async move {
        PostgresStore::migrate(&options).await.map_err(failure::of_store)
    })?;
    if migrated.from == migrated.to {
        output::line(format_args!("the schema of {url} has version {} already", migrated.to))
    } else {
        let (from, to) = (migrated.from, migrated.to);
        output::line(format_args!("the schema of {url} was brought from version {from} to {to}"))
    }
}
