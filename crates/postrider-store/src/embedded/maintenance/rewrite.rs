//! Rewriting: replacing what is encrypted with new versions. A reading thread decrypts and encrypts;
//! the commit thread only writes the result.

use rusqlite::{Connection, params, types::Value};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    contract::maintenance::{Rewrite, RewritePosition},
    embedded::{error, ledger::Ledger, row::blob_of},
    error::StoreError,
};

/// A kind of values: statements that list a page of them by key, and replace one that has not
/// changed.
struct Kind {
    list: &'static str,
    set: &'static str,
    rewrite: RewriteValue,
}

/// Rewrites the value of a key; `None` if it stays as it is.
type RewriteValue = fn(&dyn Rewrite, &[u8], Value) -> Result<Option<Value>, StoreError>;

const KINDS: [Kind; 4] = [
    Kind {
        list: "SELECT id, record FROM endpoints WHERE id > ?1 ORDER BY id LIMIT ?2",
        set: "UPDATE endpoints SET record = ?2, version = version + 1 WHERE id = ?1 AND record = ?3",
        rewrite: |rewrite, _, value| record(value, |it| rewrite.endpoint(it)),
    },
    Kind {
        list: "SELECT id, record FROM sources WHERE id > ?1 ORDER BY id LIMIT ?2",
        set: "UPDATE sources SET record = ?2, version = version + 1 WHERE id = ?1 AND record = ?3",
        rewrite: |rewrite, _, value| record(value, |it| rewrite.source(it)),
    },
    Kind {
        list: "SELECT id, record FROM consumers WHERE id > ?1 ORDER BY id LIMIT ?2",
        set: "UPDATE consumers SET record = ?2, version = version + 1 WHERE id = ?1 AND record = ?3",
        rewrite: |rewrite, _, value| record(value, |it| rewrite.consumer(it)),
    },
    Kind {
        list: "SELECT key, response FROM reservations WHERE key > ?1 ORDER BY key LIMIT ?2",
        set: "UPDATE reservations SET response = ?2 WHERE key = ?1 AND response = ?3",
        rewrite: response,
    },
];

fn record<T: DeserializeOwned + Serialize>(
    value: Value,
    rewrite: impl Fn(&T) -> Option<T>,
) -> Result<Option<Value>, StoreError> {
    let Value::Text(json) = value else { return Ok(None) };
    let old: T = serde_json::from_str(&json).map_err(error::undecodable)?;
    let new = rewrite(&old).map(|new| serde_json::to_string(&new));
    Ok(new.transpose().map_err(error::undecodable)?.map(Value::Text))
}

fn response(rewrite: &dyn Rewrite, key: &[u8], value: Value) -> Result<Option<Value>, StoreError> {
    let Value::Blob(response) = value else { return Ok(None) };
    let key = key.try_into().map_err(error::undecodable)?;
    Ok(rewrite.response(key, &response).map(Value::Blob))
}

/// What a page changes.
pub(super) struct Changes {
    kind: usize,
    values: Vec<ChangedValue>,
    pub(super) next: Option<RewritePosition>,
}

struct ChangedValue {
    key: Vec<u8>,
    old: Value,
    new: Value,
}

impl Changes {
    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Shows a page to `rewrite`.
pub(super) fn page(
    db: &Connection,
    position: RewritePosition,
    limit: usize,
    rewrite: &dyn Rewrite,
) -> Result<Changes, StoreError> {
    let kind = position.kind;
    let Some(Kind { list, rewrite: apply, .. }) = KINDS.get(kind) else {
        return Ok(Changes { kind, values: Vec::new(), next: None });
    };
    let (mut values, mut last) = (Vec::new(), None);
    let mut statement = db.prepare_cached(list)?;
    let mut rows =
        statement.query(params![position.after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let key = blob_of(row, 0)?.to_vec();
        let old: Value = row.get(1)?;
        if let Some(new) = apply(rewrite, &key, old.clone())? {
            values.push(ChangedValue { key: key.clone(), old, new });
        }
        last = Some(key);
    }
    Ok(Changes { kind, values, next: position.following(last, KINDS.len()) })
}

impl Ledger {
    /// Replaces the values that are still the old ones; returns how many.
    pub(super) fn replace(&mut self, changes: &Changes) -> Result<u64, StoreError> {
        // Overwrites the old versions in the file. For every deletion, that would cost too much.
        self.db.pragma_update(None, "secure_delete", true)?;
        let count = self.replace_all(changes);
        self.db.pragma_update(None, "secure_delete", false)?;
        count
    }

    fn replace_all(&mut self, changes: &Changes) -> Result<u64, StoreError> {
        let Some(Kind { set, .. }) = KINDS.get(changes.kind) else { return Ok(0) };
        let mut count = 0;
        for ChangedValue { key, old, new } in &changes.values {
            count += self.db.prepare_cached(set)?.execute(params![key, new, old])? as u64;
            self.written += key.len() + bytes(new);
        }
        Ok(count)
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    }
}
