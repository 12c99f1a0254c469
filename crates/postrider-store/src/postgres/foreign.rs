//! The PostgreSQL of another system, which is only read.

use std::future::poll_fn;

use tokio::task::JoinSet;
use tokio_postgres::{Client, types::ToSql};

use super::{connect::Address, error::DatabaseError, options::PostgresOptions};
use crate::error::StoreError;

/// A connection to the database of another system. It cannot write.
#[derive(Debug)]
pub struct ForeignDatabase {
    client: Client,
    /// Drives the connection, until this value is dropped.
    _driver: JoinSet<()>,
}

/// One row, with all values as text.
pub type TextRow = Vec<Option<String>>;

impl ForeignDatabase {
    /// Connects to the database of the URL, which may have the same parameters as that of a store.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        // The settings of a store's connections suit only its own statements.
        let options =
            PostgresOptions { url: url.to_owned(), is_pooled: true, ..PostgresOptions::default() };
        let (client, mut messages) = Address::of(&options)?.listen().await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move { while poll_fn(&mut messages).await.is_some() {} });
        let read_only = "SET default_transaction_read_only = on";
        client.batch_execute(read_only).await.map_err(DatabaseError::from)?;
        Ok(Self { client, _driver: driver })
    }

    /// The rows of a query, whose columns and parameters are all texts.
    pub async fn rows(&self, sql: &str, params: &[&str]) -> Result<Vec<TextRow>, StoreError> {
        let params: Vec<_> = params.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(sql, &params).await.map_err(DatabaseError::from)?;
        let text = |row: &tokio_postgres::Row| {
            (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>()
        };
        let rows: Result<_, tokio_postgres::Error> = rows.iter().map(text).collect();
        Ok(rows.map_err(DatabaseError::from)?)
    }
}
