//! Writes messages to object stores that speak S3's protocol.
//!
//! With the format `json`, each message has an object of its own, whose key follows from the
//! message: a repetition finds the object there. With `ndjson`, messages are collected
//! ([`Collector`]) and written together ([`Bucket`]).

mod bucket;
mod collector;
mod compress;
mod known;
mod store;
mod suspects;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider_core::{
    kind::{
        Destination,
        s3::{ObjectFormat, S3, key_of_message, line},
    },
    message::Format,
    outcome::Failure,
    target::Target,
};
use postrider_engine::{Call, Clients, Guard, HttpClient, Report, Sender};

use self::{
    bucket::{Bucket, Entry, WRITE_LIMIT},
    collector::Collector,
    store::Store,
    suspects::{SETTLING, Suspects},
};
use crate::aws::failed;

/// Endpoints whose clients are kept, and for how long without use.
const CLIENTS: usize = 1_000;
const IDLE: Duration = Duration::from_secs(300);

/// Writes messages to buckets.
#[derive(Debug)]
pub(crate) struct S3Sender {
    http: HttpClient,
    clients: Clients<Client>,
}

#[derive(Debug)]
struct Client {
    bucket: Bucket,
    collector: Collector<Entry>,
    suspects: Suspects,
}

impl S3Sender {
    pub(crate) fn new(guard: &Guard) -> Self {
        Self { http: guard.http().clone(), clients: Clients::new(CLIENTS, IDLE) }
    }

    async fn write(&self, call: &Call, s3: &S3) -> Result<Report, Report> {
        let prefix = s3
            .prefix(&call.message, &call.body)
            .map_err(|refusal| Report::failed(refusal.failure, refusal.reason))?;
        let client = self.clients.get(&call.target, || Client {
            bucket: Bucket::new(Store::new(&self.http, s3, &call.target), s3),
            collector: Collector::new(s3.limits()),
            suspects: Suspects::new(call.at),
        });
        Ok(match s3.format {
            ObjectFormat::Json => client.write_one(call, s3, &prefix).await,
            ObjectFormat::Ndjson => client.write_with_others(call, &prefix).await,
        })
    }
}

impl Client {
    async fn write_one(&self, call: &Call, s3: &S3, prefix: &str) -> Report {
        let key = key_of_message(prefix, call.message.id, s3.gzip);
        let content_type = match call.message.format {
            Format::Json => "application/json",
            Format::Raw { .. } => "application/octet-stream",
        };
        self.bucket.write_one(&key, content_type, call.body.clone()).await
    }

    async fn write_with_others(&self, call: &Call, prefix: &str) -> Report {
        let entry = Entry {
            id: call.message.id,
            line: line(&call.message, &call.body),
            is_suspect: self.suspects.contain(call.message.created_at(), call.at),
        };
        let size = entry.line.len();
        let write = |entries| self.bucket.write(prefix, entries, &self.suspects);
        let report = self.collector.submit(prefix, entry, size, write).await;
        report.unwrap_or_else(|| {
            let reason = "writing the object took too long; it is not known whether it was written";
            Report::failed(Failure::Timeout, reason)
        })
    }
}

#[async_trait]
impl Sender for S3Sender {
    async fn send(&self, call: Call) -> Report {
        let Some(s3) = config(&call.target) else { return wrong_kind() };
        self.write(&call, s3).await.unwrap_or_else(|report| report)
    }

    async fn check(&self, target: Arc<Target>) -> Report {
        let Some(s3) = config(&target) else { return wrong_kind() };
        let found = match Store::new(&self.http, s3, &target) {
            Ok(store) => store.first_key().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(()) => {
                let done = "the bucket exists and the credentials are valid; nothing was written";
                Report::delivered(done)
            },
            Err(error) => failed(error),
        }
    }

    fn time_limit(&self, target: &Target) -> Option<Duration> {
        let s3 = config(target).filter(|s3| s3.format == ObjectFormat::Ndjson)?;
        Some(s3.limits().wait + SETTLING + WRITE_LIMIT + Duration::from_secs(5))
    }
}

fn config(target: &Target) -> Option<&S3> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    match &target.destination {
        Destination::S3(config) => Some(config),
        _ => None,
    }
}

fn wrong_kind() -> Report {
    Report::failed(Failure::Protocol, "internal error: this is not a bucket")
}
