//! A connection for one call of the store.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::trouble;
use crate::StoreError;

/// A parameter with its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection for one call of the store. One that is dropped in the middle of a transaction
/// is closed, which ends the transaction.
pub(super) struct Session {
    /// None once it was closed.
    object: Option<Object>,
    /// Statements are prepared once and kept; a pooler between transactions cannot have that.
    prepares: bool,
    /// Longest time of one statement.
    timeout: Duration,
    in_transaction: bool,
}

impl Session {
    pub(super) async fn open(
        pool: &Pool,
        prepares: bool,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let object = pool.get().await.map_err(trouble::of_pool)?;
        Ok(Self { object: Some(object), prepares, timeout, in_transaction: false })
    }

    /// Runs a statement that returns rows.
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let (timeout, prepares) = (self.timeout, self.prepares);
        let client = self.client()?;
        let rows = async {
            if !prepares {
                return client.query_typed(sql, params).await;
            }
            let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
            let statement = client.prepare_typed_cached(sql, &types).await?;
            let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
            client.query(&statement, &values).await
        };
        match tokio::time::timeout(timeout, rows).await {
            Ok(rows) => rows.map_err(trouble::translate),
            Err(_) => {
                self.close();
                Err(trouble::unavailable("the database did not answer in time"))
            },
        }
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
        let (timeout, prepares) = (self.timeout, self.prepares);
        let client = self.client()?;
        let count = async {
            if !prepares {
                return client.execute_typed(sql, params).await;
            }
            let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
            let statement = client.prepare_typed_cached(sql, &types).await?;
            let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
            client.execute(&statement, &values).await
        };
        match tokio::time::timeout(timeout, count).await {
            Ok(count) => count.map_err(trouble::translate),
            Err(_) => {
                self.close();
                Err(trouble::unavailable("the database did not answer in time"))
            },
        }
    }

    /// Runs statements that are made at run time and have no parameters, such as those that
    /// make a partition.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        let timeout = self.timeout;
        let client = self.client()?;
        match tokio::time::timeout(timeout, client.batch_execute(sql)).await {
            Ok(done) => done.map_err(trouble::translate),
            Err(_) => {
                self.close();
                Err(trouble::unavailable("the database did not answer in time"))
            },
        }
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

    fn client(&self) -> Result<&Object, StoreError> {
        self.object.as_ref().ok_or_else(|| trouble::unavailable("the connection was closed"))
    }

    /// Takes the connection out of the pool and closes it.
    fn close(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction {
            self.close();
        }
    }
}
