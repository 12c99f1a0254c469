//! Copies an installation from one store to another: what is copied, and in which order.
//!
//! No server may use the two [`TransferStore`]s during a copy. The source exports everything in
//! chunks. The target writes each chunk together with the cursor of the next one in one
//! transaction, so that an interrupted copy can continue, and copies nothing twice. The source
//! is marked with the number of the copy until a server opens it. It may have changed then, so
//! that the copy must not continue.
//!
//! Rejected requests are not copied: they are only kept for a day, for inspection. Nor is the last
//! use of API keys. Nor are the
//! versions of records: they only matter between reading a record and saving it, and no server
//! runs during a copy.
//!
//! Both stores use their tables, because the contracts of [`Store`](crate::Store) would lose data:
//! they cannot list organizations, idempotency digests, recoveries or the whole state of a pending
//! delivery, and each of their writes is a transaction without the progress of the copy. Messages
//! and deliveries would also be slower: `cargo run --release -p postrider-store --example transfer`
//! reads them from the tables of a folder about 5 times as fast as through
//! [`History`](crate::History), which is asked for one message after the other.

mod counts;

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    access::{ApiKey, TokenPolicy},
    audit::AuditEntry,
    catalog::{
        Application, Connector, Consumer, DeadLetter, Endpoint, EventType, Recovery, Source, Task,
    },
    delivery::{Attempt, DeliveryOrder, Trigger},
    message::Message,
    polling::PollConsumer,
    queue::partitions::Partitions,
    retry::RetryPlan,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use self::counts::RecordCounts;
use crate::error::{BoxError, StoreError};

/// The maximum number of items in a chunk.
const CHUNK_ITEMS: usize = 1_000;

/// The maximum size of the payloads in a chunk, in bytes. A larger message gets its own chunk.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;

/// The source or the target of a copy: a store that is opened for the copy only.
#[async_trait]
pub trait TransferStore: Send + Sync + std::fmt::Debug + 'static {
    /// A number that identifies the installation. It never changes.
    async fn identity(&self) -> Result<u64, StoreError>;

    /// The number of the last copy from this store, unless a node has used the store since.
    async fn mark(&self) -> Result<Option<u64>, StoreError>;

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError>;

    /// The next chunk after the cursor. It is empty if there is nothing more of the cursor's
    /// kind.
    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError>;

    async fn target_state(&self) -> Result<TargetState, StoreError>;

    /// Writes the chunk and the progress after it; `before` is the progress that is stored now.
    /// Returns how many items got another id because theirs is taken.
    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError>;

    async fn record_counts(&self) -> Result<RecordCounts, StoreError>;

    /// Records that the copy into this store is complete, so that servers may use it.
    async fn finish(&self) -> Result<(), StoreError>;
}

/// A part of an installation; all items are of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    Applications(Vec<Application>),
    Endpoints(Vec<EndpointExport>),
    EventTypes(Vec<EventType>),
    Sources(Vec<Source>),
    Connectors(Vec<Connector>),
    Consumers(Vec<Consumer>),
    Partitions(Vec<Partitions>),
    DeadLetters(Vec<DeadLetter>),
    ApiKeys(Vec<ApiKey>),
    TokenPolicies(Vec<TokenPolicy>),
    AuditLog(Vec<AuditEntry>),
    Tasks(Vec<Task>),
    Messages(Vec<MessageExport>),
    PollLogs(Vec<PollLogExport>),
    PollEntries(Vec<PollEntryExport>),
    /// Each with the last message that it has processed.
    Recoveries(Vec<(Recovery, MessageId)>),
    CompletedKeys(Vec<CompletedKey>),
}

/// An endpoint, and when it began to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointExport {
    pub endpoint: Endpoint,
    pub failing_since: Option<Timestamp>,
}

/// A message with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageExport {
    pub message: Message,
    pub idempotency: Option<[u8; 32]>,
    pub deliveries: Vec<DeliveryExport>,
}

/// The end of a polling endpoint's log, and its consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollLogExport {
    pub application: ApplicationId,
    pub endpoint: EndpointId,
    pub last: u64,
    pub last_at: Timestamp,
    pub consumers: Vec<PollConsumer>,
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntryExport {
    pub endpoint: EndpointId,
    pub offset: u64,
    pub message: MessageId,
    pub at: Timestamp,
}

/// A delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryExport {
    pub endpoint: EndpointId,
    pub state: DeliveryState,
    /// The number of attempts made, including those that have expired.
    pub made: u16,
    pub attempts: Vec<Attempt>,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Delivered,
    Failed,
    Cancelled,
    Pending(PendingState),
}

/// The state of a pending delivery. A lease on it is not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingState {
    pub attempt: u16,
    pub trigger: Trigger,
    pub retry_plan: RetryPlan,
    pub reported: bool,
    pub due_at: Timestamp,
    pub order: DeliveryOrder,
    /// Its position in its endpoint's order, if that is not the order of the messages.
    pub position: Option<i64>,
}

/// The stored response to a request with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedKey {
    pub key: [u8; 32],
    pub fingerprint: [u8; 32],
    pub response: Vec<u8>,
    pub answered_at: Timestamp,
}

/// A chunk, and where the next one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPage {
    pub chunk: Chunk,
    /// [`Cursor::after`] for the next chunk; `None` if this was the last one of its kind.
    pub next: Option<Vec<u8>>,
}

/// A position in the sequence of everything that is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub kind: ChunkKind,
    /// The position within the kind, in the source's format; empty at the start.
    pub after: Vec<u8>,
}

/// The kinds of items, in the order in which they are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChunkKind {
    Applications,
    Endpoints,
    EventTypes,
    Sources,
    Connectors,
    Consumers,
    Partitions,
    DeadLetters,
    ApiKeys,
    TokenPolicies,
    AuditLog,
    Tasks,
    Messages,
    PollLogs,
    PollEntries,
    Recoveries,
    #[serde(rename = "Answers")]
    CompletedKeys,
    /// Everything is copied.
    End,
}

/// The progress of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The number of the copy.
    pub copy: u64,
    /// Identity of the source.
    pub source: u64,
    #[serde(rename = "place")]
    pub cursor: Cursor,
    /// The number of messages copied.
    pub messages: u64,
    /// The number of items that got another id.
    pub renamed: u64,
}

/// What the target of a copy contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    Empty,
    /// An incomplete copy.
    Unfinished(Progress),
    /// Anything else.
    Occupied,
}

/// Why a copy was refused. The target is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyRefusal {
    #[error("the source and the target are the same installation")]
    Same,
    #[error("the target is not empty")]
    Occupied,
    #[error("the target holds an unfinished copy of another installation")]
    OtherCopy,
    #[error("the source was used by a server since the copy into this target began")]
    Used,
}

/// Why a copy failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Refused(#[from] CopyRefusal),
    #[error("the source")]
    Source(#[source] StoreError),
    #[error("the target")]
    Target(#[source] StoreError),
}

/// The result of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    pub from: RecordCounts,
    pub to: RecordCounts,
    /// The number of items that got another id, because a folder uses only the first half of ids.
    pub renamed: u64,
}

impl CopyReport {
    /// Whether everything was copied.
    pub fn is_complete(&self) -> bool {
        self.from == self.to
    }
}

/// Copies everything, or continues an interrupted copy. `number` is unique, and identifies a new
/// copy. `report` is called after each chunk.
pub async fn copy(
    from: &dyn TransferStore,
    to: &dyn TransferStore,
    number: u64,
    mut report: impl FnMut(&Progress, &RecordCounts),
) -> Result<CopyReport, CopyError> {
    let (mut before, mut progress) = begin(from, to, number).await?;
    let counts = from.record_counts().await.map_err(CopyError::Source)?;
    report(&progress, &counts);
    let mut page = export(from, &progress.cursor).await?;
    while let Some(ExportPage { chunk, next }) = page {
        progress.advance(&chunk, next);
        let importing = to.import(chunk, before.take(), progress.clone());
        // Meanwhile, the source exports the next chunk.
        let (imported, exported) = tokio::join!(importing, export(from, &progress.cursor));
        progress.renamed += imported.map_err(CopyError::Target)?;
        before = Some(progress.clone());
        page = exported?;
        report(&progress, &counts);
    }
    if from.mark().await.map_err(CopyError::Source)? != Some(progress.copy) {
        return Err(CopyRefusal::Used.into());
    }
    let arrived = to.record_counts().await.map_err(CopyError::Target)?;
    let copied = CopyReport { from: counts, to: arrived, renamed: progress.renamed };
    if copied.is_complete() {
        to.finish().await.map_err(CopyError::Target)?;
    }
    Ok(copied)
}

/// Decides whether to start a copy or to continue one. Returns the stored progress, if any, and
/// the progress to continue from.
async fn begin(
    from: &dyn TransferStore,
    to: &dyn TransferStore,
    number: u64,
) -> Result<(Option<Progress>, Progress), CopyError> {
    let source = from.identity().await.map_err(CopyError::Source)?;
    if source == to.identity().await.map_err(CopyError::Target)? {
        return Err(CopyRefusal::Same.into());
    }
    let mark = from.mark().await.map_err(CopyError::Source)?;
    match to.target_state().await.map_err(CopyError::Target)? {
        TargetState::Occupied => Err(CopyRefusal::Occupied.into()),
        TargetState::Unfinished(progress) if progress.source != source => {
            Err(CopyRefusal::OtherCopy.into())
        },
        TargetState::Unfinished(progress) if mark != Some(progress.copy) => {
            Err(CopyRefusal::Used.into())
        },
        TargetState::Unfinished(progress) => Ok((Some(progress.clone()), progress)),
        TargetState::Empty => {
            from.set_mark(number).await.map_err(CopyError::Source)?;
            let cursor = Cursor { kind: ChunkKind::Applications, after: Vec::new() };
            Ok((None, Progress { copy: number, source, cursor, messages: 0, renamed: 0 }))
        },
    }
}

async fn export(
    from: &dyn TransferStore,
    cursor: &Cursor,
) -> Result<Option<ExportPage>, CopyError> {
    if cursor.kind == ChunkKind::End {
        return Ok(None);
    }
    from.export(cursor, CHUNK_ITEMS).await.map(Some).map_err(CopyError::Source)
}

impl Progress {
    fn advance(&mut self, chunk: &Chunk, next: Option<Vec<u8>>) {
        if let Chunk::Messages(messages) = chunk {
            self.messages += messages.len() as u64;
        }
        match next {
            Some(after) => self.cursor.after = after,
            None => self.cursor = Cursor { kind: self.cursor.kind.next(), after: Vec::new() },
        }
    }

    /// The same progress with `more` renamed items.
    pub(crate) fn with_renamed(self, more: u64) -> Self {
        Self { renamed: self.renamed + more, ..self }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and bytes serialize")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| corrupt("progress of a copy", error))
    }
}

impl ChunkKind {
    const fn next(self) -> Self {
        match self {
            Self::Applications => Self::Endpoints,
            Self::Endpoints => Self::EventTypes,
            Self::EventTypes => Self::Sources,
            Self::Sources => Self::Connectors,
            Self::Connectors => Self::Consumers,
            Self::Consumers => Self::Partitions,
            Self::Partitions => Self::DeadLetters,
            Self::DeadLetters => Self::ApiKeys,
            Self::ApiKeys => Self::TokenPolicies,
            Self::TokenPolicies => Self::AuditLog,
            Self::AuditLog => Self::Tasks,
            Self::Tasks => Self::Messages,
            Self::Messages => Self::PollLogs,
            Self::PollLogs => Self::PollEntries,
            Self::PollEntries => Self::Recoveries,
            Self::Recoveries => Self::CompletedKeys,
            Self::CompletedKeys | Self::End => Self::End,
        }
    }
}

impl Cursor {
    /// The id to continue after.
    pub(crate) fn id(&self) -> Result<u128, StoreError> {
        if self.after.is_empty() {
            return Ok(0);
        }
        let bytes = <[u8; 16]>::try_from(self.after.as_slice());
        bytes.map(u128::from_be_bytes).map_err(|error| corrupt("progress of a copy", error))
    }

    /// The entry of a log to continue after.
    pub(crate) fn entry(&self) -> Result<(u128, u64), StoreError> {
        if self.after.is_empty() {
            return Ok((0, 0));
        }
        let bytes = <[u8; 24]>::try_from(self.after.as_slice());
        let bytes = bytes.map_err(|error| corrupt("progress of a copy", error))?;
        let (id, offset) = bytes.split_at(16);
        let id = id.iter().fold(0, |id, byte| id << 8 | u128::from(*byte));
        let offset = offset.iter().fold(0, |offset, byte| offset << 8 | u64::from(*byte));
        Ok((id, offset))
    }

    /// The names to continue after.
    pub(crate) fn names(&self) -> Result<(String, String), StoreError> {
        if self.after.is_empty() {
            return Ok(Default::default());
        }
        let names = serde_json::from_slice(&self.after);
        names.map_err(|error| corrupt("progress of a copy", error))
    }
}

/// [`Cursor::after`] for [`Cursor::entry`].
pub(crate) fn entry_cursor(entry: &PollEntryExport) -> Vec<u8> {
    let mut after = entry.endpoint.as_u128().to_be_bytes().to_vec();
    after.extend(entry.offset.to_be_bytes());
    after
}

/// [`Cursor::after`] for [`Cursor::names`].
pub(crate) fn names(first: &str, second: &str) -> Vec<u8> {
    serde_json::to_vec(&(first, second)).expect("texts serialize")
}

/// The next cursor, unless these were the last items.
pub(crate) fn next_cursor<T>(
    found: &[T],
    limit: usize,
    after: impl FnOnce(&T) -> Vec<u8>,
) -> Option<Vec<u8>> {
    found.last().filter(|_| found.len() >= limit).map(after)
}

/// Why a store cannot be the source or the target of a copy.
#[derive(Debug, thiserror::Error)]
pub enum TransferOpenError {
    /// Nothing is stored there.
    #[error("there is no installation there")]
    Missing,
    /// These nodes use it.
    #[error("it is in use by {}", .0.join(", "))]
    InUse(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn corrupt(what: &'static str, source: impl Into<BoxError>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}
