//! Configuration of endpoints that are tables of databases.
//!
//! A message becomes a [`Row`] by a [`Mapping`]; statements and the meaning of errors are in a
//! file for each database. There is no I/O.

mod cell;
mod document;
#[cfg(test)]
mod fixtures;
mod mapping;
pub mod mysql;
mod name;
pub mod postgres;
mod server;
pub mod sqlite;

use serde::Deserialize;

use self::{mapping::MappingConfig, server::Scheme};
use super::{Credential, KindConfig, Problem, ServiceUrl, secret::without_credentials};

pub use crate::path::Path;

pub use self::{
    cell::{Cell, ColumnType},
    mapping::{Column, ColumnConfig, Mapping, Mode, Row, Unfit},
    name::{FileName, Name, TableName},
    server::{Server, TlsMode},
};

/// Most rows of a statement.
pub const MAX_ROWS: usize = 1_000;

/// Deliveries in flight: the next statement fills up during the current one.
const IN_FLIGHT: usize = 2 * MAX_ROWS;

/// A table of a PostgreSQL database.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Postgres {
    url: ServiceUrl,
    password: Option<Credential>,
    tls: Option<TlsMode>,
    #[serde(alias = "sslRootCert")]
    pub trusted_certificates: Option<String>,
    #[serde(alias = "tableName", default)]
    pub table: TableName,
    columns: Option<Vec<ColumnConfig>>,
    #[serde(default)]
    mode: Mode,
    key: Option<Vec<Name>>,
    #[serde(default)]
    pub create_table: bool,
}

/// A table of a MySQL or MariaDB database.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mysql {
    url: ServiceUrl,
    password: Option<Credential>,
    tls: Option<TlsMode>,
    pub trusted_certificates: Option<String>,
    #[serde(default)]
    pub table: TableName,
    columns: Option<Vec<ColumnConfig>>,
    #[serde(default)]
    mode: Mode,
    key: Option<Vec<Name>>,
    #[serde(default)]
    pub create_table: bool,
}

/// A table in a SQLite file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sqlite {
    pub database: FileName,
    #[serde(default)]
    pub table: TableName,
    columns: Option<Vec<ColumnConfig>>,
    #[serde(default)]
    mode: Mode,
    key: Option<Vec<Name>>,
    /// Only this server and its operator can create it.
    #[serde(default = "yes")]
    pub create_table: bool,
    #[serde(default = "default_max_bytes")]
    pub max_bytes: u64,
}

const fn yes() -> bool {
    true
}

const fn default_max_bytes() -> u64 {
    1 << 30
}

/// Least and most bytes of a SQLite file.
const MAX_BYTES: std::ops::RangeInclusive<u64> = (1 << 16)..=(64 << 30);

/// What differs between the URLs of PostgreSQL and those of MySQL.
const POSTGRES: Scheme =
    Scheme { names: &["postgres", "postgresql"], port: 5432, tls_parameter: "sslmode" };
const MYSQL: Scheme =
    Scheme { names: &["mysql", "mariadb"], port: 3306, tls_parameter: "ssl-mode" };

/// Why a value is there that was checked.
const CHECKED: &str = "a configuration was checked when it was read";

impl Postgres {
    /// Where the server is.
    pub fn server(&self) -> Server {
        self.parse_server().expect(CHECKED)
    }

    /// Which columns a row has.
    pub fn mapping(&self) -> Mapping {
        self.parse_mapping().expect(CHECKED)
    }

    fn parse_server(&self) -> Result<Server, Problem> {
        Server::new(POSTGRES, &self.url, self.password.as_ref(), self.tls)
    }

    fn parse_mapping(&self) -> Result<Mapping, Vec<Problem>> {
        let (columns, key) = (self.columns.as_deref(), self.key.as_deref());
        Mapping::new(MappingConfig { columns, mode: self.mode, key })
    }
}

impl Mysql {
    /// Where the server is.
    pub fn server(&self) -> Server {
        self.parse_server().expect(CHECKED)
    }

    /// Which columns a row has.
    pub fn mapping(&self) -> Mapping {
        self.parse_mapping().expect(CHECKED)
    }

    fn parse_server(&self) -> Result<Server, Problem> {
        Server::new(MYSQL, &self.url, self.password.as_ref(), self.tls)
    }

    fn parse_mapping(&self) -> Result<Mapping, Vec<Problem>> {
        let (columns, key) = (self.columns.as_deref(), self.key.as_deref());
        Mapping::new(MappingConfig { columns, mode: self.mode, key })
    }
}

impl Sqlite {
    /// Which columns a row has.
    pub fn mapping(&self) -> Mapping {
        self.parse_mapping().expect(CHECKED)
    }

    /// The statement that creates the table.
    pub fn create_statement(&self, mapping: &Mapping) -> String {
        sqlite::create(&self.table, mapping)
    }

    /// The statement that writes a row.
    pub fn insert_statement(&self, mapping: &Mapping) -> String {
        sqlite::insert(&self.table, mapping)
    }

    fn parse_mapping(&self) -> Result<Mapping, Vec<Problem>> {
        let (columns, key) = (self.columns.as_deref(), self.key.as_deref());
        Mapping::new(MappingConfig { columns, mode: self.mode, key })
    }
}

impl KindConfig for Postgres {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        problems.extend(self.parse_server().err());
        problems.extend(self.parse_mapping().err().into_iter().flatten());
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

impl KindConfig for Mysql {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        problems.extend(self.parse_server().err());
        problems.extend(self.parse_mapping().err().into_iter().flatten());
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

impl KindConfig for Sqlite {
    fn check(&self, problems: &mut Vec<Problem>) {
        problems.extend(self.parse_mapping().err().into_iter().flatten());
        if !MAX_BYTES.contains(&self.max_bytes) {
            let (least, most) = (MAX_BYTES.start(), MAX_BYTES.end());
            problems.push(Problem::of("maxBytes", format!("must be {least} to {most}")));
        }
        if self.table.schema.is_some() {
            problems.push(Problem::of("table", "must have no schema; SQLite has none"));
        }
    }

    fn address(&self) -> String {
        format!("sqlite:{}", self.database.as_str())
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

#[cfg(test)]
mod tests {
    use postrider::api::EndpointKind;
    use serde_json::json;

    use super::*;
    use crate::kind::{Destination, Fields, mask};

    fn fields(value: serde_json::Value) -> Fields {
        let serde_json::Value::Object(fields) = value else { unreachable!() };
        fields
    }

    fn problems(kind: EndpointKind, config: serde_json::Value) -> Vec<String> {
        let problems = Destination::parse(kind, &fields(config)).unwrap_err();
        problems.into_iter().map(|problem| problem.path.join(".")).collect()
    }

    #[test]
    fn the_fields_of_the_hosted_api_are_understood() {
        let config = fields(json!({
            "url": "postgres://u:p@db.example.com/shop",
            "password": "secret",
            "tableName": "analytics.events",
            "sslRootCert": "-----BEGIN CERTIFICATE-----",
        }));
        let Ok(Destination::Postgres(postgres)) =
            Destination::parse(EndpointKind::Postgres, &config)
        else {
            unreachable!()
        };
        assert_eq!(postgres.table.to_string(), "analytics.events");
        let password = postgres.server().password.expect("a password");
        assert_eq!(password.reveal(), "secret");
        assert!(!format!("{postgres:?}").contains("secret"));
        assert_eq!(postgres.address(), "postgres://db.example.com/shop");
        assert_eq!(postgres.max_in_flight(100), 2_000);
        let shown = mask(EndpointKind::Postgres, &config);
        assert_eq!(shown["password"], "***");
        assert_eq!(shown["url"], "postgres://u:***@db.example.com/shop");
    }

    #[test]
    fn problems_lead_to_the_field() {
        let url = "postgres://u@db/x";
        let postgres = |config| problems(EndpointKind::Postgres, config);
        assert_eq!(postgres(json!({ "url": "http://u@db/x" })), ["url"]);
        assert_eq!(postgres(json!({ "url": url, "mode": "replace" })), ["mode"]);
        assert_eq!(postgres(json!({ "url": url, "table": "a.b.c" })), ["table"]);
        let columns = json!([{ "name": "a", "path": "payload." }]);
        assert_eq!(postgres(json!({ "url": url, "columns": columns })), ["columns.0.path"]);
        let columns = json!([{ "name": "a", "path": "payload.a", "type": "int" }]);
        assert_eq!(postgres(json!({ "url": url, "columns": columns })), ["columns.0.type"]);
        let sqlite = |config| problems(EndpointKind::Sqlite, config);
        assert_eq!(sqlite(json!({ "database": "../x" })), ["database"]);
        assert_eq!(sqlite(json!({ "database": "x", "maxBytes": 1 })), ["maxBytes"]);
        assert_eq!(sqlite(json!({ "database": "x", "table": "a.b" })), ["table"]);
        assert_eq!(problems(EndpointKind::Mysql, json!({ "url": "mysql://db/x" })), ["url"]);
    }
}
