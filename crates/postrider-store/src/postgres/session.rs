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

use super::trouble;
use crate::StoreError;

/// The server ends a statement that takes too long, and this much later we give it up.
const GRACE: Duration = Duration::from_secs(2);

/// How long a statement that changes the schema may take.
const UNHURRIED: Duration = Duration::from_secs(24 * 60 * 60);

/// A parameter with its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection for one call of the store. One that is dropped in the middle of a statement or
/// of a transaction is closed, which ends both, so the pool holds none with a past.
pub(super) struct Session {
    pool: Pool,
    /// None once it was closed.
    object: Option<Object>,
    /// Statements are prepared once and kept; a pooler between transactions cannot have that.
    prepares: bool,
    /// Longest time of one statement.
    timeout: Duration,
    in_transaction: bool,
    /// A statement was sent, and its answer is not all here.
    is_busy: bool,
}

impl Session {
    pub(super) async fn open(
        pool: &Pool,
        prepares: bool,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let object = Some(pool.get().await.map_err(trouble::of_pool)?);
        let (in_transaction, is_busy) = (false, false);
        let pool = pool.clone();
        Ok(Self { pool, object, prepares, timeout: timeout + GRACE, in_transaction, is_busy })
    }

    /// Runs a statement that returns rows.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.is_busy = true;
        let client = self.client()?;
        let rows = async {
            match self.statement(client, sql, params).await? {
                Some(statement) => client.query(&statement, &values(params)).await,
                None => client.query_typed(sql, params).await,
            }
        };
        let answer = tokio::time::timeout(self.timeout, rows).await;
        self.answered(answer)
    }

    /// Runs a statement that returns at most one row.
    pub(super) async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.pop())
    }

    /// Runs a statement that returns exactly one row.
    pub(super) async fn query_one(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Row, StoreError> {
        let row = self.query_opt(sql, params).await?;
        row.ok_or_else(|| trouble::corrupt("row", "a statement that returns one returned none"))
    }

    /// Runs a statement; how many rows it touched.
    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        self.is_busy = true;
        let client = self.client()?;
        let count = async {
            match self.statement(client, sql, params).await? {
                Some(statement) => client.execute(&statement, &values(params)).await,
                None => client.execute_typed(sql, params).await,
            }
        };
        let answer = tokio::time::timeout(self.timeout, count).await;
        self.answered(answer)
    }

    /// Runs statements that are made at run time and have no parameters, such as those that
    /// make a partition.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.is_busy = true;
        let done = self.client()?.batch_execute(sql);
        let answer = tokio::time::timeout(self.timeout, done).await;
        self.answered(answer)
    }

    /// Lets the statements of this transaction take as long as they need.
    pub(super) async fn take_time(&mut self) -> Result<(), StoreError> {
        self.timeout = UNHURRIED;
        self.run(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await
    }

    /// Runs a `COPY … FROM STDIN` with this as its input.
    pub(super) async fn copy_in(
        &mut self,
        sql: &'static str,
        rows: Bytes,
    ) -> Result<(), StoreError> {
        self.is_busy = true;
        let client = self.client()?;
        let copy = async {
            let mut sink = pin!(client.copy_in::<_, Bytes>(sql).await?);
            sink.send(rows).await?;
            sink.finish().await
        };
        let answer = tokio::time::timeout(self.timeout, copy).await;
        self.answered(answer).map(drop)
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        self.run("BEGIN").await
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.run("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(super) async fn rollback(&mut self) -> Result<(), StoreError> {
        self.run("ROLLBACK").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// The statement, unless nothing may be prepared.
    async fn statement(
        &self,
        client: &Object,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<Statement>, Error> {
        if !self.prepares {
            return Ok(None);
        }
        let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
        client.prepare_typed_cached(sql, &types).await.map(Some)
    }

    fn answered<T>(&mut self, answer: Result<Result<T, Error>, Elapsed>) -> Result<T, StoreError> {
        match answer {
            Ok(Ok(answer)) => {
                self.is_busy = false;
                Ok(answer)
            },
            Ok(Err(error)) => {
                self.is_busy = error.as_db_error().is_none();
                if trouble::is_standby(&error) {
                    self.abandon_server();
                }
                Err(trouble::translate(error))
            },
            Err(_) => {
                self.abandon_server();
                Err(trouble::unavailable("the database did not answer in time"))
            },
        }
    }

    fn client(&self) -> Result<&Object, StoreError> {
        self.object.as_ref().ok_or_else(|| trouble::unavailable("the connection was closed"))
    }

    /// Closes this connection, and those that wait in the pool: where one leads to a server that
    /// is silent, or not the primary any more, so do the others.
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

fn values<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|(value, _)| *value).collect()
}
