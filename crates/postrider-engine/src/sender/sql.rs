//! Delivers to tables of databases, many rows at once.

mod any_certificate;
mod failed;
mod mysql;
mod postgres;
mod server;
mod sqlite;
mod write;

use std::time::Duration;

pub(super) use self::{
    mysql::MysqlSession, postgres::PostgresSession, server::ServerSender, sqlite::SqliteSender,
};

/// Time limit of a delivery: it waits for the statement that runs, for one in front of its own, and
/// for its own.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Time limit of writing a batch, with connecting.
const WRITE_LIMIT: Duration = Duration::from_secs(9);

/// The database ends a statement after this time, so that none is left behind.
const STATEMENT_LIMIT: Duration = Duration::from_secs(8);

/// How long a statement waits for a lock.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// Endpoints whose connections are kept, and for how long they may be idle.
const MAX_CLIENTS: usize = 500;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
