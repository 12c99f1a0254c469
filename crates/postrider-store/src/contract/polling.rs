//! Logs of polling endpoints: offsets without gaps, and the progress of consumers.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{message::Message, polling::PollConsumer, time::Timestamp};

use crate::{contract::catalog::Version, error::StoreError};

/// Names the log of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogKey {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
}

/// A message with its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub offset: u64,
    /// With its body.
    pub message: Arc<Message>,
}

/// A part of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The messages, in the order of their offsets. Those without a body are left out.
    pub entries: Vec<LogEntry>,
    /// The log was read up to here; where the page began, if there was nothing behind it.
    pub scanned: u64,
    /// The log had nothing behind `scanned`.
    pub is_end: bool,
}

/// A consumer to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedConsumer {
    pub consumer: PollConsumer,
    /// The version that the stored consumer must have; `None` if there must be none.
    pub expected: Option<Version>,
    /// Most consumers of the endpoint.
    pub limit: usize,
}

/// Keeps messages for clients that poll.
///
/// The offsets of a log begin at 1. An offset is visible once all lower ones are, whichever nodes
/// append, so a reader that remembers the last offset never skips a message. Entries are removed
/// when their messages have outlived the retention, and with their endpoint. Offsets are not used
/// again.
#[async_trait]
pub trait PollLogs: Send + Sync + fmt::Debug + 'static {
    /// Appends the messages in this order, except for those that the log contains already. `at`
    /// is the present time; see [`Self::log_offset_at`]. Returns `false`, and has no effect, if
    /// there is no such endpoint.
    async fn append_to_log(
        &self,
        log: LogKey,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Reads up to `limit` entries behind the offset. The page ends earlier if it has
    /// [`LIST_BYTES`](crate::LIST_BYTES).
    async fn read_log(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError>;

    /// The last offset that was given to a message; 0 if none was.
    async fn log_end(&self, log: LogKey) -> Result<u64, StoreError>;

    /// The offset behind which everything was appended at this time or later.
    async fn log_offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, StoreError>;

    async fn poll_consumer(
        &self,
        log: LogKey,
        id: &str,
    ) -> Result<Option<(PollConsumer, Version)>, StoreError>;

    /// All consumers of the endpoint, in the order of their ids.
    async fn poll_consumers(&self, log: LogKey) -> Result<Vec<PollConsumer>, StoreError>;

    /// Saves a consumer. Fails with [`StoreError::VersionMismatch`] if it was changed meanwhile,
    /// and with [`StoreError::Conflict`] if a new consumer would exceed the limit. Returns `false`,
    /// and has no effect, if there is no such endpoint.
    async fn save_poll_consumer(
        &self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError>;

    /// Returns `false` if there is no such consumer.
    async fn remove_poll_consumer(&self, log: LogKey, id: &str) -> Result<bool, StoreError>;
}

/// Why a consumer is not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaveRefusal {
    Changed,
    TooMany,
}

const CONSUMER: &str = "poll consumer";

impl From<SaveRefusal> for StoreError {
    fn from(refusal: SaveRefusal) -> Self {
        match refusal {
            SaveRefusal::Changed => Self::VersionMismatch { what: CONSUMER },
            SaveRefusal::TooMany => Self::Conflict { what: CONSUMER },
        }
    }
}

impl SavedConsumer {
    /// The version that the consumer gets, given the stored one and the number of consumers.
    pub(crate) fn next(
        &self,
        current: Option<Version>,
        count: usize,
    ) -> Result<Version, SaveRefusal> {
        match (self.expected, current) {
            (expected, current) if expected != current => Err(SaveRefusal::Changed),
            (_, Some(Version(current))) => Ok(Version(current + 1)),
            (_, None) if count >= self.limit => Err(SaveRefusal::TooMany),
            (_, None) => Ok(Version::FIRST),
        }
    }
}
