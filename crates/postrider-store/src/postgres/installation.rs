//! Facts about the installation as a whole, on which all nodes must agree.

use deadpool_postgres::Pool;

use super::{
    connect::Address, error::DatabaseError, migrate, options::PostgresOptions, session::Session,
};
use crate::error::StoreError;

/// A database, opened by a program that is not a node of it.
#[derive(Debug)]
pub struct Installation {
    pool: Pool,
    options: PostgresOptions,
}

const INSERT: &str = "
INSERT INTO installation (name, value)
VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING";

const REPLACE: &str = "UPDATE installation SET value = $2 WHERE name = $1";

impl Installation {
    /// Connects, and migrates the schema.
    pub async fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let address = Address::of(&options)?;
        let pool = address.pool(&options)?;
        migrate::start(&address, &pool, &options).await?;
        Ok(Self { pool, options })
    }

    /// The fact with this name.
    pub async fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(fact(&mut self.session().await?, name).await?)
    }

    /// Stores a fact unless its name has one, and returns the fact that is stored then.
    pub async fn keep(&self, name: &str, value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.session().await?.execute(INSERT, &[&name, &value]).await?;
        Ok(self.fact(name).await?.unwrap_or(value))
    }

    /// Replaces the fact with this name.
    pub async fn replace(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.session().await?.execute(REPLACE, &[&name, &value]).await?;
        Ok(())
    }

    async fn session(&self) -> Result<Session, DatabaseError> {
        let Self { pool, options } = self;
        Session::open(pool, !options.is_pooled, options.call_timeout).await
    }
}

const GET: &str = "SELECT value FROM installation WHERE name = $1";

/// The fact with this name.
pub(super) async fn fact(
    session: &mut Session,
    name: &str,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    let row = session.query_opt(GET, &[&name]).await?;
    Ok(row.map(|row| row.get(0)))
}
