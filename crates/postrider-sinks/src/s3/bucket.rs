//! Writes many messages as one object, each exactly once.
//!
//! The key of an object follows from the messages in it, and an object is written only if its key
//! is free: a repeated write of the same messages changes nothing. Messages that may have been
//! written before, then possibly together with others, are searched for in the objects that may
//! contain them, and left out if they are there.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use futures_util::future::OptionFuture;
use postrider::MessageId;
use postrider_core::{
    kind::s3::{BatchName, S3},
    outcome::Failure,
};
use postrider_engine::{GuardError, Report};
use serde::Deserialize;

use super::{
    compress::{gunzip, gzip},
    known::{Ids, KnownObjects},
    store::{MAX_RESPONSE, Put, Store},
    suspects::Suspects,
};
use crate::aws::failed;

/// For everything that is done to write an object.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// For one attempt to write an object.
const PUT_LIMIT: Duration = Duration::from_secs(15);

/// Attempts to write an object, and the pause between them. If the result is not known, the same
/// request says what it was.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

const NDJSON: &str = "application/x-ndjson";
const GZIP: &str = "application/gzip";

/// A message that is to be written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: MessageId,
    pub(super) line: String,
    /// It may be in the bucket.
    pub(super) is_suspect: bool,
}

/// Where messages are written to.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Result<Store, GuardError>,
    name: String,
    is_gzip: bool,
    check_existing: bool,
    known: KnownObjects,
}

/// In which objects messages are.
type Found = HashMap<MessageId, String>;

impl Bucket {
    pub(super) fn new(store: Result<Store, GuardError>, s3: &S3) -> Self {
        Self {
            store,
            name: s3.bucket.clone(),
            is_gzip: s3.gzip,
            check_existing: s3.check_existing,
            known: KnownObjects::default(),
        }
    }

    fn store(&self) -> Result<&Store, GuardError> {
        self.store.as_ref().map_err(Clone::clone)
    }

    /// Writes one message as an object.
    pub(super) async fn write_one(&self, key: &str, content_type: &str, body: Bytes) -> Report {
        let put = async {
            let content_type = if self.is_gzip { GZIP } else { content_type };
            self.put(key, content_type, self.encoded(body).await?).await
        };
        match put.await {
            Ok(Put::Written) => Report::delivered(format!("written to s3://{}/{key}", self.name)),
            Ok(Put::Existed) => {
                Report::delivered(format!("s3://{}/{key} was there already", self.name))
            },
            Err(error) => failed(error),
        }
    }

    /// Writes messages whose keys begin with `prefix`; one report for each.
    pub(super) async fn write(
        &self,
        prefix: &str,
        entries: Vec<Entry>,
        suspects: &Suspects,
    ) -> Vec<Report> {
        let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
        let writing = self.write_missing(prefix, entries, suspects);
        let written = tokio::time::timeout(super::SETTLING + WRITE_LIMIT, writing).await;
        let found = written.unwrap_or_else(|_| {
            let reason = "the store took too long; it is not known whether the object was written";
            Err(unavailable(Failure::Timeout, reason))
        });
        match found {
            Ok(found) => ids.iter().map(|id| self.report(found.get(id))).collect(),
            Err(error) => ids.iter().map(|_| failed(error.clone())).collect(),
        }
    }

    fn report(&self, key: Option<&String>) -> Report {
        match key {
            Some(key) => Report::delivered(format!("written to s3://{}/{key}", self.name)),
            None => Report::failed(Failure::Protocol, "internal error: the message was left out"),
        }
    }

    /// Writes the messages that are not in the bucket yet. Returns where all of them are.
    async fn write_missing(
        &self,
        prefix: &str,
        mut entries: Vec<Entry>,
        suspects: &Suspects,
    ) -> Result<Found, GuardError> {
        let mut found = self.search(prefix, &entries, suspects).await?;
        entries.retain(|entry| !found.contains_key(&entry.id));
        entries.sort_by_key(|entry| entry.id);
        entries.dedup_by_key(|entry| entry.id);
        let ids: Ids = entries.iter().map(|entry| entry.id).collect();
        let Some(key) = BatchName::key(prefix, &ids, self.is_gzip) else { return Ok(found) };
        let content: String = entries.into_iter().map(|entry| entry.line).collect();
        let content = self.encoded(content.into()).await?;
        let doubt = suspects.doubt();
        self.put(&key, if self.is_gzip { GZIP } else { NDJSON }, content).await?;
        doubt.resolve();
        found.extend(ids.iter().map(|id| (*id, key.clone())));
        self.known.insert(key, ids);
        Ok(found)
    }

    async fn encoded(&self, content: Bytes) -> Result<Bytes, GuardError> {
        let file: OptionFuture<_> = self.is_gzip.then(|| gzip(content.clone())).into();
        match file.await {
            None => Ok(content),
            Some(file) => file.map_err(|_| {
                unavailable(Failure::Unavailable, "internal error: the object is not compressed")
            }),
        }
    }

    /// Writes an object. If it is not known what became of it, tries again: the key tells.
    async fn put(&self, key: &str, content_type: &str, content: Bytes) -> Result<Put, GuardError> {
        let store = self.store()?;
        let mut attempt = 1;
        loop {
            let put = store.put(key, content_type, content.clone());
            let put = tokio::time::timeout(PUT_LIMIT, put).await.unwrap_or_else(|_| {
                let reason = format!("the store did not respond within {} s", PUT_LIMIT.as_secs());
                Err(unavailable(Failure::Timeout, reason))
            });
            match put {
                Err(error) if attempt < ATTEMPTS && may_succeed(error.failure) => {
                    tokio::time::sleep(PAUSE * attempt).await;
                    attempt += 1;
                },
                ended => return ended,
            }
        }
    }

    /// Where the suspects among the messages are, as far as they are in the bucket.
    async fn search(
        &self,
        prefix: &str,
        entries: &[Entry],
        suspects: &Suspects,
    ) -> Result<Found, GuardError> {
        let mut wanted: Vec<_> =
            entries.iter().filter(|entry| entry.is_suspect).map(|entry| entry.id).collect();
        wanted.sort_unstable();
        let mut found = Found::new();
        let Some(oldest) = wanted.first().filter(|_| self.check_existing) else { return Ok(found) };
        suspects.settle().await;
        let from = BatchName::search_from(prefix, *oldest);
        for key in self.store()?.keys(prefix, &from).await? {
            let Some(name) = BatchName::parse(prefix, &key) else { continue };
            if wanted.iter().any(|id| name.may_contain(*id)) {
                let ids = self.ids_of(&key, name.is_gzip).await?;
                let is_there = |id: &MessageId| ids.binary_search(id).is_ok();
                wanted.retain(|id| {
                    let is_there = is_there(id);
                    if is_there {
                        found.insert(*id, key.clone());
                    }
                    !is_there
                });
            }
        }
        Ok(found)
    }

    /// The messages in an object, in order; none if somebody has removed it.
    async fn ids_of(&self, key: &str, is_gzip: bool) -> Result<Ids, GuardError> {
        if let Some(ids) = self.known.get(key) {
            return Ok(ids);
        }
        let Some(mut content) = self.store()?.get(key).await? else { return Ok(Ids::default()) };
        if is_gzip {
            content = gunzip(content, MAX_RESPONSE).await.map_err(|_| damaged(key))?;
        }
        let mut ids = ids_in(&content).ok_or_else(|| damaged(key))?;
        ids.sort_unstable();
        let ids: Ids = ids.into();
        self.known.insert(key.to_owned(), ids.clone());
        Ok(ids)
    }
}

/// Whether the same request may have another result soon.
const fn may_succeed(failure: Failure) -> bool {
    match failure {
        Failure::Connect
        | Failure::Timeout
        | Failure::Protocol
        | Failure::Unavailable
        | Failure::Resolve => true,
        Failure::Tls
        | Failure::Forbidden
        | Failure::Rejected
        | Failure::Misconfigured
        | Failure::Busy
        | Failure::Transformation
        | Failure::Damaged => false,
    }
}

fn ids_in(content: &[u8]) -> Option<Vec<MessageId>> {
    #[derive(Deserialize)]
    struct Line {
        id: MessageId,
    }
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Some(serde_json::from_slice::<Line>(line).ok()?.id)).collect()
}

fn damaged(key: &str) -> GuardError {
    let reason = format!(
        "the object {key} has the name of one with messages, but other content; remove or rename it"
    );
    unavailable(Failure::Misconfigured, reason)
}

fn unavailable(failure: Failure, reason: impl Into<String>) -> GuardError {
    GuardError { failure, reason: reason.into(), address: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_an_object_are_in_its_lines() {
        let id = MessageId::from_parts(1 << 30, 7);
        let content = format!("{{\"id\":\"{id}\",\"payload\":1}}\n").repeat(2);
        assert_eq!(ids_in(content.as_bytes()), Some(vec![id, id]));
        assert_eq!(ids_in(b""), Some(Vec::new()));
        assert_eq!(ids_in(b"{\"no\":1}\n"), None);
    }
}
