//! Connections to MySQL and MariaDB.

mod connect;
mod error;

use std::{collections::HashSet, net::SocketAddr};

use mysql_async::{Conn, Params, Value, prelude::Queryable};
use postrider_core::{
    kind::{
        Destination,
        sql::{
            Cell, Mapping, Mode, Mysql, Row, TableName,
            mysql::{self as statements, COLUMNS, INDEXES, MAX_PARAMETERS},
        },
    },
    outcome::Failure,
    target::Target,
};

use self::{
    connect::connect,
    error::{of, too_large},
};
use super::{failed::Failed, server::Session};
use crate::sender::Guard;

/// A connection to MySQL or MariaDB.
#[derive(Debug)]
pub(in crate::sender) struct MysqlSession {
    connection: Conn,
    address: SocketAddr,
    table: TableName,
    /// Most bytes that the server reads as one statement.
    max_packet: usize,
}

impl Session for MysqlSession {
    type Config = Mysql;

    const MAX_PARAMETERS: usize = MAX_PARAMETERS;

    fn config(destination: &Destination) -> Option<&Mysql> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
        match destination {
            Destination::Mysql(config) => Some(config),
            _ => None,
        }
    }

    fn mapping(config: &Mysql) -> Mapping {
        config.mapping()
    }

    fn table(config: &Mysql) -> String {
        config.table.to_string()
    }

    async fn open(
        guard: &Guard,
        target: &Target,
        config: &Mysql,
        mapping: &Mapping,
    ) -> Result<Self, Failed> {
        let (connection, address) = connect(guard, target, config).await?;
        let table = config.table.clone();
        let mut session = Self { connection, address, table, max_packet: 0 };
        let set_up = session.set_up(mapping, config.create_table).await;
        set_up.map_err(|failed| failed.at(address))?;
        Ok(session)
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    async fn write(&mut self, mapping: &Mapping, rows: &[Row]) -> Result<(), Failed> {
        if rows.is_empty() {
            return Ok(());
        }
        let sql = statements::insert(&self.table, mapping, rows.len());
        let values: Vec<Value> = rows.iter().flat_map(|row| &row.cells).map(value).collect();
        // The client would split what is too large, and the server would end the connection.
        if sql.len() + values.iter().map(size).sum::<usize>() > self.max_packet {
            return Err(too_large());
        }
        let written = self.connection.exec_drop(sql, Params::Positional(values)).await;
        written.map_err(|error| of(&error))?;
        let inserted = self.connection.affected_rows();
        let has_all = mapping.mode == Mode::Upsert || inserted == rows.len() as u64;
        if has_all { Ok(()) } else { self.check_written(mapping, rows).await }
    }
}

impl MysqlSession {
    async fn set_up(&mut self, mapping: &Mapping, may_create: bool) -> Result<(), Failed> {
        let max_packet = self.connection.query_first("SELECT @@max_allowed_packet").await;
        self.max_packet = max_packet.map_err(|error| of(&error))?.unwrap_or_default();
        let mut columns = self.columns().await?;
        if columns.is_empty() && may_create {
            let sql = statements::create(&self.table, mapping);
            self.connection.query_drop(sql).await.map_err(|error| of(&error))?;
            columns = self.columns().await?;
        }
        check_columns(mapping, &self.table, &columns)?;
        let indexes = self.indexes().await?;
        check_indexes(mapping, &self.table, &indexes)
    }

    /// The names of the columns in lower case. There are none if there is no table.
    async fn columns(&mut self) -> Result<HashSet<String>, Failed> {
        let names: Vec<String> =
            self.connection.exec(COLUMNS, place(&self.table)).await.map_err(|error| of(&error))?;
        Ok(names.iter().map(|name| name.to_lowercase()).collect())
    }

    /// The columns of each unique index, in lower case.
    async fn indexes(&mut self) -> Result<Vec<Index>, Failed> {
        let rows: Vec<(String, Option<String>)> =
            self.connection.exec(INDEXES, place(&self.table)).await.map_err(|error| of(&error))?;
        let columns = |text: String| text.split('\0').map(str::to_lowercase).collect();
        let index = |(name, text): (String, Option<String>)| Index {
            name,
            columns: text.map(columns).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(index).collect())
    }

    /// MySQL ignores a row that violates any unique index. That is right if the message has a row
    /// already, and a lost row otherwise.
    async fn check_written(&mut self, mapping: &Mapping, rows: &[Row]) -> Result<(), Failed> {
        let id = |row: &Row| value(&row.cells[mapping.id]);
        let sql = statements::find(&self.table, mapping, rows.len());
        let found: Vec<Value> = self
            .connection
            .exec(sql, Params::Positional(rows.iter().map(id).collect()))
            .await
            .map_err(|error| of(&error))?;
        if rows.iter().map(id).all(|id| found.contains(&id)) {
            return Ok(());
        }
        let reason = format!(
            "another row of table `{}` has the same value in a column with a unique index; \
             correct the payload, or change the table or the mapping",
            self.table
        );
        Err(Failed::new(Failure::Rejected, reason))
    }
}

/// A unique index.
#[derive(Debug)]
struct Index {
    name: String,
    columns: HashSet<String>,
}

/// The parameters of a search for a table.
fn place(table: &TableName) -> (Option<String>, String) {
    (table.schema.as_ref().map(ToString::to_string), table.name.to_string())
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::NULL,
        Cell::Text(text) => Value::Bytes(text.clone().into_bytes()),
        Cell::Integer(number) => Value::Int(*number),
        Cell::Float(number) => Value::Double(*number),
        Cell::Boolean(value) => Value::Int(i64::from(*value)),
        Cell::Timestamp(time) => Value::Bytes(statements::time(*time).into_bytes()),
        Cell::Bytes(bytes) => Value::Bytes(bytes.clone()),
    }
}

/// At most as many bytes as the value has in a statement.
fn size(value: &Value) -> usize {
    if let Value::Bytes(bytes) = value { bytes.len() + 16 } else { 16 }
}

fn check_columns(
    mapping: &Mapping,
    table: &TableName,
    found: &HashSet<String>,
) -> Result<(), Failed> {
    if found.is_empty() {
        let reason = format!("there is no table `{table}`; create it, or set `createTable`");
        return Err(Failed::new(Failure::Misconfigured, reason));
    }
    let names = mapping.columns.iter().map(|column| column.name.as_str());
    match names.into_iter().find(|name| !found.contains(&name.to_lowercase())) {
        Some(name) => {
            let reason =
                format!("table `{table}` has no column `{name}`; add it, or correct `columns`");
            Err(Failed::new(Failure::Misconfigured, reason))
        },
        None => Ok(()),
    }
}

fn check_indexes(mapping: &Mapping, table: &TableName, found: &[Index]) -> Result<(), Failed> {
    let name = |position: &usize| mapping.columns[*position].name.as_str();
    let key: HashSet<String> = mapping.key.iter().map(|it| name(it).to_lowercase()).collect();
    if !found.iter().any(|index| index.columns == key) {
        let columns: Vec<&str> = mapping.key.iter().map(name).collect();
        let columns = columns.join("`, `");
        let reason = format!("table `{table}` needs a unique index on `{columns}`; add it");
        return Err(Failed::new(Failure::Misconfigured, reason));
    }
    let written: HashSet<String> =
        mapping.columns.iter().map(|column| column.name.as_str().to_lowercase()).collect();
    let is_other = |index: &&Index| index.columns != key && index.columns.is_subset(&written);
    match found.iter().find(is_other).filter(|_| mapping.mode == Mode::Upsert) {
        Some(Index { name, .. }) => {
            let reason = format!(
                "table `{table}` has another unique index, `{name}`, by which MySQL could update \
                 the wrong row; remove it, or set `mode` to `insert`"
            );
            Err(Failed::new(Failure::Misconfigured, reason))
        },
        None => Ok(()),
    }
}
