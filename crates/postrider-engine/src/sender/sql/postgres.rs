//! Connections to PostgreSQL.

mod error;
mod link;

use std::net::SocketAddr;

use postrider_core::{
    kind::{
        Destination,
        sql::{
            Mapping, Postgres, Row, TableName,
            postgres::{self as statements, TYPES},
        },
    },
    outcome::Failure,
    target::Target,
};
use tokio_postgres::{Statement, types::ToSql};

use self::link::Link;
use super::{LOCK_LIMIT, STATEMENT_LIMIT, failed::Failed, server::Session};
use crate::sender::Guard;

/// A connection to PostgreSQL with the prepared statement.
#[derive(Debug)]
pub(in crate::sender) struct PostgresSession {
    link: Link,
    table: TableName,
    prepared: Option<Prepared>,
}

/// The statement, for the types that the table's columns had when it was prepared.
#[derive(Debug)]
struct Prepared {
    statement: Statement,
    types: Vec<String>,
}

impl Session for PostgresSession {
    type Config = Postgres;

    // A parameter is a list with the values of a column.
    const MAX_PARAMETERS: usize = usize::MAX;

    fn config(destination: &Destination) -> Option<&Postgres> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match destination {
            Destination::Postgres(config) => Some(config),
            _ => None,
        }
    }

    fn mapping(config: &Postgres) -> Mapping {
        config.mapping()
    }

    fn table(config: &Postgres) -> String {
        config.table.to_string()
    }

    async fn open(
        guard: &Guard,
        target: &Target,
        config: &Postgres,
        mapping: &Mapping,
    ) -> Result<Self, Failed> {
        let link = Link::open(guard, target, config).await?;
        let address = link.address();
        let mut session = Self { link, table: config.table.clone(), prepared: None };
        let prepared = session.set_up(mapping, config.create_table).await;
        session.prepared = Some(prepared.map_err(|failed| failed.at(address))?);
        Ok(session)
    }

    fn address(&self) -> SocketAddr {
        self.link.address()
    }

    async fn write(&mut self, mapping: &Mapping, rows: &[Row]) -> Result<(), Failed> {
        let Some(prepared) = &self.prepared else {
            return Err(Failed::lost("the statement is not prepared"));
        };
        let written = self.link.execute(&prepared.statement, rows, mapping).await;
        let Err(failed) = written else { return Ok(()) };
        if failed.failure != Failure::Rejected || !self.types_have_changed(mapping).await? {
            return Err(failed);
        }
        let Some(prepared) = &self.prepared else { return Err(failed) };
        self.link.execute(&prepared.statement, rows, mapping).await
    }
}

impl PostgresSession {
    async fn set_up(&mut self, mapping: &Mapping, may_create: bool) -> Result<Prepared, Failed> {
        let settings = format!(
            "SET statement_timeout = {}; SET lock_timeout = {}",
            STATEMENT_LIMIT.as_millis(),
            LOCK_LIMIT.as_millis()
        );
        self.link.run(&settings).await?;
        let mut found = self.link.types(&self.table).await?;
        if found.is_empty() && may_create {
            let created = self.link.run(&statements::create(&self.table, mapping)).await;
            found = self.link.types(&self.table).await?;
            // Another node may have created it at the same time.
            if found.is_empty() {
                created?;
            }
        }
        self.prepare(mapping, &found).await
    }

    async fn prepare(
        &mut self,
        mapping: &Mapping,
        found: &[(String, String)],
    ) -> Result<Prepared, Failed> {
        let types = types_of(mapping, &self.table, found)?;
        let sql = statements::insert(&self.table, mapping, &types);
        let statement = self.link.prepare(&sql).await?;
        Ok(Prepared { statement, types })
    }

    /// Whether the table was changed since the statement was prepared. If so, it is prepared again.
    async fn types_have_changed(&mut self, mapping: &Mapping) -> Result<bool, Failed> {
        let found = self.link.types(&self.table).await?;
        let types = types_of(mapping, &self.table, &found)?;
        if self.prepared.as_ref().is_some_and(|prepared| prepared.types == types) {
            return Ok(false);
        }
        self.prepared = Some(self.prepare(mapping, &found).await?);
        Ok(true)
    }
}

/// The types of the columns, in the order of the mapping, from the names and types of all columns.
fn types_of(
    mapping: &Mapping,
    table: &TableName,
    found: &[(String, String)],
) -> Result<Vec<String>, Failed> {
    let misconfigured = |reason: String| Failed::new(Failure::Misconfigured, reason);
    if found.is_empty() {
        let reason = format!("there is no table `{table}`; create it, or set `createTable`");
        return Err(misconfigured(reason));
    }
    let type_of = |name: &str| {
        let column = found.iter().find(|(column, _)| column == name);
        column.map(|(_, column_type)| column_type.clone()).ok_or_else(|| {
            misconfigured(format!(
                "table `{table}` has no column `{name}`; add it, or correct `columns`"
            ))
        })
    };
    mapping.columns.iter().map(|column| type_of(column.name.as_str())).collect()
}

impl Link {
    /// The names and types of the columns. There are none if there is no table.
    async fn types(&mut self, table: &TableName) -> Result<Vec<(String, String)>, Failed> {
        let name = statements::table(table);
        let rows = self.query(TYPES, &[&name]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    async fn execute(
        &mut self,
        statement: &Statement,
        rows: &[Row],
        mapping: &Mapping,
    ) -> Result<(), Failed> {
        let texts = |column: usize| -> Vec<_> {
            rows.iter().map(|row| statements::text(&row.cells[column])).collect()
        };
        let columns: Vec<_> = (0..mapping.columns.len()).map(texts).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> =
            columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
        self.write(statement, &parameters).await
    }
}
