//! Facts about the installation as a whole, which every node must agree with.

use deadpool_postgres::Pool;
use tokio_postgres::types::Type;

use super::{PostgresOptions, connect::Address, migrate, session::Session};
use crate::StoreError;

/// A database, seen by somebody who is not a node of it.
#[derive(Debug)]
pub struct Installation {
    pool: Pool,
    options: PostgresOptions,
}

impl Installation {
    /// Connects, and brings the schema up to date.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let pool = Address::of(&options)?.pool(&options)?;
        migrate::start(&pool, &options).await?;
        Ok(Self { pool, options })
    }

    /// What is known under a name.
    pub async fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT value FROM installation WHERE name = $1";
        let row = self.session().await?.query_opt(sql, &[(&name, Type::TEXT)]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Notes a fact, unless another one is known under its name; what is known then.
    pub async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let sql = "INSERT INTO installation (name, value)
                   VALUES ($1, $2)
                   ON CONFLICT (name) DO NOTHING";
        let params = [(&name as _, Type::TEXT), (&value as _, Type::BYTEA)];
        self.session().await?.execute(sql, &params).await?;
        Ok(self.fact(name).await?.unwrap_or(value))
    }

    /// Notes a fact in place of the one that is known under its name.
    pub async fn replace(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE installation SET value = $2 WHERE name = $1";
        let params = [(&name as _, Type::TEXT), (&value as _, Type::BYTEA)];
        self.session().await?.execute(sql, &params).await.map(drop)
    }

    async fn session(&self) -> Result<Session, StoreError> {
        let Self { pool, options } = self;
        Session::open(pool, !options.is_pooled, options.call_timeout).await
    }
}
