//! Sessions of people.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{error, ledger::Ledger, store::EmbeddedStore};
use crate::{
    contract::sign_ins::{REMOVED_PER_SIGN_IN, SignIn, SignIns},
    error::StoreError,
};

#[async_trait]
impl SignIns for EmbeddedStore {
    async fn sign_in(&self, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError> {
        self.read(move |reader| find(&reader.main, digest)).await
    }
}

pub(super) const FIND: &str = "SELECT record FROM sign_ins WHERE digest = ?1";

const BEGIN: &str = "INSERT INTO sign_ins (digest, expires_at, record) VALUES (?1, ?2, ?3)";

const END: &str = "DELETE FROM sign_ins WHERE digest = ?1";

pub(super) const REMOVE_EXPIRED: &str = "DELETE FROM sign_ins
    WHERE digest IN (
        SELECT digest FROM sign_ins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";

fn find(db: &Connection, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError> {
    let record = db.prepare_cached(FIND)?.query_row([digest], |row| row.get::<_, String>(0));
    let record = record.optional()?;
    Ok(record.map(|it| serde_json::from_str(&it)).transpose().map_err(error::undecodable)?)
}

impl Ledger {
    pub(super) fn begin_sign_in(
        &mut self,
        digest: [u8; 32],
        sign_in: &SignIn,
    ) -> Result<(), StoreError> {
        let expired = params![sign_in.created_at.as_millis(), REMOVED_PER_SIGN_IN];
        self.db.prepare_cached(REMOVE_EXPIRED)?.execute(expired)?;
        let record = serde_json::to_string(sign_in).map_err(error::undecodable)?;
        let values = params![digest, sign_in.expires_at.as_millis(), record];
        self.db.prepare_cached(BEGIN)?.execute(values)?;
        self.written += record.len();
        Ok(())
    }

    pub(super) fn end_sign_in(&mut self, digest: [u8; 32]) -> Result<bool, StoreError> {
        Ok(self.db.prepare_cached(END)?.execute([digest])? > 0)
    }
}
