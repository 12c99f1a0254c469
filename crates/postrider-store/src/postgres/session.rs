//! A connection for one call of the store.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use deadpool_postgres::{Object, Pool};
use futures_util::SinkExt;
use tokio::time::error::Elapsed;
use tokio_postgres::{
    Error, Row, Statement,
    types::{ToSql, Type},
};

use super::{error::DatabaseError, parameter::Param};

/// The server cancels a statement that takes too long. If it has not done so this much later, the
/// connection is given up.
const GRACE: Duration = Duration::from_secs(2);

/// How long a statement that changes the schema may take.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// A connection for one call of the store.
///
/// A session that is dropped during a statement or a transaction closes its connection, which ends
/// both. So a connection from the pool never has an open transaction, and a caller may be dropped
/// at any `await`.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Session {
    pool: Pool,
    /// None after it was closed.
    object: Option<Object>,
    /// Statements are prepared once for each connection. A pooler that assigns connections for one
    /// transaction at a time does not allow that.
    prepares: bool,
    /// Limit for one statement.
    timeout: Duration,
    in_transaction: bool,
    /// Transactions that begin now are parts of one that began before.
    joins: bool,
    /// A statement was sent, and its response has not been read completely.
    is_busy: bool,
}

impl Session {
    pub(super) async fn open(
        pool: &Pool,
        prepares: bool,
        timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let object = Some(pool.get().await?);
        let (in_transaction, joins, is_busy) = (false, false, false);
        let (pool, timeout) = (pool.clone(), timeout + GRACE);
        Ok(Self { pool, object, prepares, timeout, in_transaction, joins, is_busy })
    }

    /// Runs a statement that returns rows.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.is_busy = true;
        let client = self.client()?;
        let rows = async {
            match self.statement(client, sql, params).await? {
                Some(statement) => client.query(&statement, &values(params)).await,
                None => client.query_typed(sql, &typed(params)).await,
            }
        };
        let response = tokio::time::timeout(self.timeout, rows).await;
        self.finish(response)
    }

    /// Runs a statement that returns at most one row.
    pub(super) async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, DatabaseError> {
        Ok(self.query(sql, params).await?.pop())
    }

    /// Runs a statement that returns exactly one row.
    pub(super) async fn query_one(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Row, DatabaseError> {
        let row = self.query_opt(sql, params).await?;
        row.ok_or_else(|| DatabaseError::corrupt("row", "a statement returned no row"))
    }

    /// Runs a statement and returns the number of rows that it changed.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, DatabaseError> {
        self.is_busy = true;
        let client = self.client()?;
        let count = async {
            match self.statement(client, sql, params).await? {
                Some(statement) => client.execute(&statement, &values(params)).await,
                None => client.execute_typed(sql, &typed(params)).await,
            }
        };
        let response = tokio::time::timeout(self.timeout, count).await;
        self.finish(response)
    }

    /// Runs statements without parameters whose text is built at run time, such as those that
    /// create a partition.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), DatabaseError> {
        self.is_busy = true;
        let done = self.client()?.batch_execute(sql);
        let response = tokio::time::timeout(self.timeout, done).await;
        self.finish(response)
    }

    /// Removes the time limits for the rest of this transaction.
    pub(super) async fn lift_timeouts(&mut self) -> Result<(), DatabaseError> {
        self.timeout = MIGRATION_TIMEOUT;
        self.run(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await
    }

    /// Runs a `COPY … FROM STDIN` with these bytes as its input.
    pub(super) async fn copy_in(
        &mut self,
        sql: &'static str,
        rows: Bytes,
    ) -> Result<(), DatabaseError> {
        self.is_busy = true;
        let client = self.client()?;
        let copy = async {
            let mut sink = pin!(client.copy_in::<_, Bytes>(sql).await?);
            sink.send(rows).await?;
            sink.finish().await
        };
        let response = tokio::time::timeout(self.timeout, copy).await;
        self.finish(response).map(drop)
    }

    pub(super) async fn begin(&mut self) -> Result<(), DatabaseError> {
        if self.joins {
            return Ok(());
        }
        self.in_transaction = true;
        self.run("BEGIN").await
    }

    pub(super) async fn commit(&mut self) -> Result<(), DatabaseError> {
        if self.joins {
            return Ok(());
        }
        self.run("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// In a transaction that began before, nothing may have been changed by this part, or the
    /// caller rolls back all of it.
    pub(super) async fn rollback(&mut self) -> Result<(), DatabaseError> {
        if self.joins {
            return Ok(());
        }
        self.run("ROLLBACK").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Begins a transaction that those which begin before its end are parts of.
    pub(super) async fn begin_outer(&mut self) -> Result<(), DatabaseError> {
        self.begin().await?;
        self.joins = true;
        Ok(())
    }

    pub(super) async fn commit_outer(&mut self) -> Result<(), DatabaseError> {
        self.joins = false;
        self.commit().await
    }

    pub(super) async fn rollback_outer(&mut self) -> Result<(), DatabaseError> {
        self.joins = false;
        self.rollback().await
    }

    /// The prepared statement; none if this connection does not prepare.
    async fn statement(
        &self,
        client: &Object,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Statement>, Error> {
        if !self.prepares {
            return Ok(None);
        }
        let types: Vec<Type> = params.iter().map(|param| param.sql_type()).collect();
        client.prepare_typed_cached(sql, &types).await.map(Some)
    }

    fn finish<T>(
        &mut self,
        response: Result<Result<T, Error>, Elapsed>,
    ) -> Result<T, DatabaseError> {
        let Ok(response) = response else {
            self.abandon_server();
            return Err(DatabaseError::InDoubt("the database did not respond in time".into()));
        };
        let error = match response {
            Ok(result) => {
                self.is_busy = false;
                return Ok(result);
            },
            Err(error) => error,
        };
        self.is_busy = error.as_db_error().is_none();
        let error = DatabaseError::from(error);
        if matches!(error, DatabaseError::ReadOnly(_)) {
            self.abandon_server();
        }
        Err(error)
    }

    /// A session is closed after a statement whose outcome may be unknown.
    fn client(&self) -> Result<&Object, DatabaseError> {
        let closed = || DatabaseError::InDoubt("the connection was closed".into());
        self.object.as_ref().ok_or_else(closed)
    }

    /// Closes this connection and the idle ones of the pool: they lead to the same server, which
    /// does not respond or is not the primary any more.
    fn abandon_server(&mut self) {
        self.close();
        self.pool.retain(|_, _| false);
    }

    /// Takes the connection out of the pool and closes it.
    fn close(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction || self.is_busy {
            self.close();
        }
    }
}

fn values<'a>(params: &[Param<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param.as_sql()).collect()
}

fn typed<'a>(params: &[Param<'a>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (param.as_sql(), param.sql_type())).collect()
}
