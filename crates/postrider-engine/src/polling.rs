//! Logs of polling endpoints: deliveries append to them, and clients read from them.
//!
//! What a poll or a commit does to a consumer is decided by
//! [`PollConsumer`]. Here the consumer is read, the decision
//! is made, and the consumer is saved if no other request has changed it meanwhile; otherwise all
//! that begins again. So of several polls at the same time, one gets the messages.

use std::{sync::Arc, time::Duration};

use postrider::EventTypeName;
use postrider_core::{
    message::Message,
    outcome::Failure,
    polling::{Batch, MAX_POLL_CONSUMERS, NotHandedOut, PollConsumer, PollRefusal, Position},
    time::Timestamp,
};
use postrider_store::{LogEntry, LogKey, LogPage, SavedConsumer, Store, StoreError, Version};

use crate::{
    clock::Clock,
    sender::{Call, Report},
};

/// How often a request is tried again because another one was faster.
const MAX_RACES: usize = 10;

/// Most pages that one request reads to find a message.
const MAX_PAGES: usize = 10;

/// The logs of polling endpoints.
#[derive(Clone, Debug)]
pub struct Polling {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
}

/// A poll of a consumer.
#[derive(Clone, Debug)]
pub struct PollRequest {
    pub consumer: String,
    /// What the client got with its last messages, if it gives that back.
    pub position: Option<Position>,
    /// Most messages.
    pub limit: usize,
    /// How long no other poll of the consumer gets the messages.
    pub lease: Duration,
    /// Where the consumer begins if it is new.
    pub start: Start,
}

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the oldest message.
    #[default]
    Earliest,
    /// With the next message.
    Latest,
}

/// A read without a consumer.
#[derive(Clone, Debug, Default)]
pub struct BrowseRequest {
    /// The offset behind which to read.
    pub after: u64,
    /// Most messages.
    pub limit: usize,
    pub event_type: Option<EventTypeName>,
    pub channel: Option<String>,
}

/// Messages for a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    pub entries: Vec<LogEntry>,
    /// What acknowledges the messages, or goes on behind them.
    pub position: Position,
    /// There is nothing behind them now.
    pub is_end: bool,
}

/// Why a request of a client was refused.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    #[error("another client has messages of this consumer")]
    Leased(Timestamp),
    #[error("the position is not the last one of the consumer")]
    Outdated,
    #[error("the highest offset that the consumer got is {0}")]
    NotHandedOut(u64),
    #[error("there is no such endpoint")]
    NoEndpoint,
    #[error("there is no such consumer")]
    NoConsumer,
    #[error("the endpoint has {MAX_POLL_CONSUMERS} consumers")]
    TooMany,
    #[error("other requests were faster")]
    Races,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PollRefusal> for PollError {
    fn from(refusal: PollRefusal) -> Self {
        match refusal {
            PollRefusal::Leased(until) => Self::Leased(until),
            PollRefusal::Outdated => Self::Outdated,
        }
    }
}

impl From<NotHandedOut> for PollError {
    fn from(NotHandedOut(highest): NotHandedOut) -> Self {
        Self::NotHandedOut(highest)
    }
}

/// A consumer as it was read, or a new one.
struct Loaded {
    consumer: PollConsumer,
    version: Option<Version>,
}

impl Polling {
    /// The logs in a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<Clock>) -> Self {
        Self { store, clock }
    }

    /// Makes a delivery: appends its messages to the log of the endpoint.
    pub(crate) async fn deliver(&self, call: &Call) -> Report {
        let log = LogKey { application: call.target.application, endpoint: call.target.endpoint };
        let began = tokio::time::Instant::now();
        let messages = match &*call.batch {
            [] => vec![call.message.id],
            batch => batch.iter().map(|it| it.id).collect(),
        };
        let appended = self.store.append_to_log(log, messages, self.clock.now()).await;
        let report = match appended {
            Ok(true) => Report::delivered("appended to the log"),
            Ok(false) => Report::failed(Failure::Unavailable, "the endpoint has no log"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    endpoint = %log.endpoint,
                    "a message was not appended to the log of a polling endpoint"
                );
                Report::failed(Failure::Unavailable, "the store is not available")
            },
        };
        Report { duration: began.elapsed(), ..report }
    }

    /// Hands out the messages behind the committed offset of a consumer, and leases them.
    pub async fn poll(&self, log: LogKey, request: &PollRequest) -> Result<Polled, PollError> {
        for _ in 0..MAX_RACES {
            let Loaded { mut consumer, version } = self.load(log, request).await?;
            let before = consumer.clone();
            let now = self.clock.now();
            match request.position {
                Some(position) => consumer.begin_poll_at(position, now)?,
                None => consumer.begin_poll(now)?,
            }
            let page = self.read(log, consumer.committed, request.limit).await?;
            let last = page.entries.last().map(|it| it.offset);
            // The lease begins when the messages have been read.
            let now = self.clock.now();
            consumer.hand_out(Batch { last, scanned: page.scanned }, request.lease, now);
            let position = consumer.position();
            let is_changed = version.is_none() || consumer != before;
            if !is_changed || self.save(log, consumer, version).await? {
                return Ok(Polled { entries: page.entries, position, is_end: page.is_end });
            }
        }
        Err(PollError::Races)
    }

    async fn load(&self, log: LogKey, request: &PollRequest) -> Result<Loaded, PollError> {
        if let Some((consumer, version)) = self.store.poll_consumer(log, &request.consumer).await? {
            return Ok(Loaded { consumer, version: Some(version) });
        }
        let begin = match request.start {
            Start::Earliest => 0,
            Start::Latest => self.store.log_end(log).await?,
        };
        let consumer = PollConsumer::new(request.consumer.clone(), begin, self.clock.now());
        Ok(Loaded { consumer, version: None })
    }

    /// Returns `false` if another request was faster.
    async fn save(
        &self,
        log: LogKey,
        consumer: PollConsumer,
        expected: Option<Version>,
    ) -> Result<bool, PollError> {
        let saved = SavedConsumer { consumer, expected, limit: MAX_POLL_CONSUMERS };
        match self.store.save_poll_consumer(log, saved).await {
            Ok(true) => Ok(true),
            Ok(false) => Err(PollError::NoEndpoint),
            Err(StoreError::VersionMismatch { .. }) => Ok(false),
            Err(StoreError::Conflict { .. }) => Err(PollError::TooMany),
            Err(error) => Err(error.into()),
        }
    }

    /// The first messages behind the offset. Those without a payload are skipped.
    async fn read(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, PollError> {
        let mut page = self.store.read_log(log, after, limit).await?;
        for _ in 1..MAX_PAGES {
            if !page.entries.is_empty() || page.is_end {
                break;
            }
            page = self.store.read_log(log, page.scanned, limit).await?;
        }
        Ok(page)
    }

    /// Acknowledges all messages of a consumer up to the offset.
    pub async fn commit(&self, log: LogKey, id: &str, offset: u64) -> Result<(), PollError> {
        self.change(log, id, |consumer| Ok(consumer.commit(offset)?)).await?;
        Ok(())
    }

    /// Moves a consumer to what was appended at this time or later, and returns its position. A
    /// consumer that does not exist is created.
    pub async fn seek(&self, log: LogKey, id: &str, at: Timestamp) -> Result<Position, PollError> {
        let offset = self.store.log_offset_at(log, at).await?;
        for _ in 0..MAX_RACES {
            let found = self.store.poll_consumer(log, id).await?;
            let (mut consumer, version) = match found {
                Some((consumer, version)) => (consumer, Some(version)),
                None => (PollConsumer::new(id.to_owned(), offset, self.clock.now()), None),
            };
            consumer.seek(offset);
            let position = consumer.position();
            if self.save(log, consumer, version).await? {
                return Ok(position);
            }
        }
        Err(PollError::Races)
    }

    /// Changes a consumer that exists.
    async fn change(
        &self,
        log: LogKey,
        id: &str,
        change: impl Fn(&mut PollConsumer) -> Result<(), PollError>,
    ) -> Result<(), PollError> {
        for _ in 0..MAX_RACES {
            let found = self.store.poll_consumer(log, id).await?;
            let (mut consumer, version) = found.ok_or(PollError::NoConsumer)?;
            let before = consumer.clone();
            change(&mut consumer)?;
            if consumer == before || self.save(log, consumer, Some(version)).await? {
                return Ok(());
            }
        }
        Err(PollError::Races)
    }

    /// Reads without a consumer.
    pub async fn browse(&self, log: LogKey, request: &BrowseRequest) -> Result<Polled, PollError> {
        let is_wanted = |message: &Message| {
            request.event_type.as_ref().is_none_or(|it| *it == message.event_type)
                && request.channel.as_ref().is_none_or(|it| message.channels.contains(it))
        };
        let mut after = request.after;
        let mut found = Polled::default();
        for _ in 0..MAX_PAGES {
            let page = self.store.read_log(log, after, request.limit).await?;
            after = page.scanned;
            found.entries = page.entries;
            found.entries.retain(|it| is_wanted(&it.message));
            found.is_end = page.is_end;
            if found.is_end || !found.entries.is_empty() {
                break;
            }
        }
        Ok(Polled { position: Position { offset: after, generation: None }, ..found })
    }

    /// The offset behind which everything was appended at this time or later.
    pub async fn offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, PollError> {
        Ok(self.store.log_offset_at(log, at).await?)
    }
}
