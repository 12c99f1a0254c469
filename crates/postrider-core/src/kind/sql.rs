//! Configuration of endpoints that are tables of databases.

use serde::Deserialize;
use url::Url;

use super::{KindConfig, Problem, secret::without_credentials};

/// A table of a PostgreSQL database.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Postgres {
    pub url: Url,
}

impl KindConfig for Postgres {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

/// A table of a MySQL or MariaDB database.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mysql {
    pub url: Url,
}

impl KindConfig for Mysql {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

/// A table in a SQLite file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sqlite {
    pub url: Url,
}

impl KindConfig for Sqlite {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}
