//! Rewriting: replacing what is encrypted with new versions.

use rusqlite::params;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    contract::maintenance::Rewrite,
    embedded::{error, ledger::Ledger, row::blob_of},
    error::StoreError,
};

const ENDPOINTS: &str = "SELECT id, record FROM endpoints";

const SET_ENDPOINT: &str = "UPDATE endpoints SET record = ?2, version = version + 1 WHERE id = ?1";

const SOURCES: &str = "SELECT id, record FROM sources";

const SET_SOURCE: &str = "UPDATE sources SET record = ?2, version = version + 1 WHERE id = ?1";

const CONSUMERS: &str = "SELECT id, record FROM consumers";

const SET_CONSUMER: &str = "UPDATE consumers SET record = ?2, version = version + 1 WHERE id = ?1";

const RESPONSES: &str = "SELECT key, response FROM reservations";

const SET_RESPONSE: &str = "UPDATE reservations SET response = ?2 WHERE key = ?1";

impl Ledger {
    pub(in crate::embedded) fn rewrite(
        &mut self,
        rewrite: &dyn Rewrite,
    ) -> Result<u64, StoreError> {
        // Overwrites the old versions in the file. For every deletion, that would cost too much.
        self.db.pragma_update(None, "secure_delete", true)?;
        let count = self.rewrite_all(rewrite);
        self.db.pragma_update(None, "secure_delete", false)?;
        count
    }

    fn rewrite_all(&mut self, rewrite: &dyn Rewrite) -> Result<u64, StoreError> {
        let endpoints =
            self.rewrite_records(ENDPOINTS, SET_ENDPOINT, |endpoint| rewrite.endpoint(endpoint))?;
        let sources = self.rewrite_records(SOURCES, SET_SOURCE, |source| rewrite.source(source))?;
        let consumers =
            self.rewrite_records(CONSUMERS, SET_CONSUMER, |consumer| rewrite.consumer(consumer))?;
        Ok(endpoints + sources + consumers + self.rewrite_responses(rewrite)?)
    }

    fn rewrite_records<T: DeserializeOwned + Serialize>(
        &mut self,
        all: &str,
        set: &str,
        rewrite: impl Fn(&T) -> Option<T>,
    ) -> Result<u64, StoreError> {
        let mut changed = Vec::new();
        {
            let mut statement = self.db.prepare(all)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let record: String = row.get(1)?;
                let it: T = serde_json::from_str(&record).map_err(error::undecodable)?;
                if let Some(new) = rewrite(&it) {
                    let id = blob_of(row, 0)?.to_vec();
                    changed.push((id, serde_json::to_string(&new).map_err(error::undecodable)?));
                }
            }
        }
        for (id, record) in &changed {
            self.db.execute(set, params![id, record])?;
            self.written += record.len();
        }
        Ok(changed.len() as u64)
    }

    fn rewrite_responses(&mut self, rewrite: &dyn Rewrite) -> Result<u64, StoreError> {
        let mut changed = Vec::new();
        {
            let mut statement = self.db.prepare(RESPONSES)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key: [u8; 32] = row.get(0)?;
                changed.extend(rewrite.response(key, blob_of(row, 1)?).map(|new| (key, new)));
            }
        }
        for (key, response) in &changed {
            self.db.execute(SET_RESPONSE, params![key, response])?;
            self.written += response.len();
        }
        Ok(changed.len() as u64)
    }
}
