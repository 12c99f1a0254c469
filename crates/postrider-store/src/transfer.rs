//! Moving an installation from one store to another: what travels, and in which order.
//!
//! A copy has two [`TransferStore`]s that nobody else uses meanwhile. What the source has travels in
//! parts; the target writes each part together with the cursor to go on from, in one
//! transaction. So a copy that was interrupted goes on where it was, and nothing arrives
//! twice. The source bears the mark of the copy until somebody opens it to work with it: from
//! then on it may have changed, and the copy does not go on.
//!
//! Requests to sources that were turned away do not travel: they are kept for a day, to be
//! looked at, and nothing follows from them.

mod census;

use async_trait::async_trait;
use postrider::{EndpointId, MessageId};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Recovery, Source},
    delivery::{Attempt, DeliveryOrder, Trigger},
    message::Message,
    retry::RetryPlan,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

pub use self::census::RecordCounts;
use crate::error::{BoxError, StoreError};

/// Things that travel together.
const PART: usize = 1_000;

/// Most bytes of bodies in one part, but for a message that is larger alone.
pub(crate) const PART_BYTES: usize = 4 << 20;

/// One end of a copy: a store that is open for nothing else.
#[async_trait]
pub trait TransferStore: Send + Sync + std::fmt::Debug + 'static {
    /// Tells this installation from others, for as long as it lives.
    async fn identity(&self) -> Result<u64, StoreError>;

    /// The copy that was begun from here last, unless a node has used the store since then.
    async fn mark(&self) -> Result<Option<u64>, StoreError>;

    async fn set_mark(&self, copy: u64) -> Result<(), StoreError>;

    /// The next things behind the cursor, and what to call the cursor behind them; none if
    /// there is nothing more of this kind.
    async fn export(&self, after: &Cursor, limit: usize) -> Result<ExportPage, StoreError>;

    async fn target_state(&self) -> Result<TargetState, StoreError>;

    /// Writes the chunk and how far the copy is with them; `before` is how far it was. How
    /// many things got another id, because theirs is taken here.
    async fn import(
        &self,
        chunk: Chunk,
        before: Option<Progress>,
        after: Progress,
    ) -> Result<u64, StoreError>;

    async fn record_counts(&self) -> Result<RecordCounts, StoreError>;

    /// The copy into this is whole: from now on it is an installation like any other.
    async fn finish(&self) -> Result<(), StoreError>;
}

/// What travels in one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    Applications(Vec<Application>),
    Endpoints(Vec<EndpointExport>),
    EventTypes(Vec<EventType>),
    Sources(Vec<Source>),
    Messages(Vec<MessageExport>),
    /// With the last message that was dealt with.
    Recoveries(Vec<(Recovery, MessageId)>),
    CompletedKeys(Vec<CompletedKey>),
}

/// An endpoint, and since when it has been failing.
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

/// A delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryExport {
    pub endpoint: EndpointId,
    pub state: DeliveryState,
    /// Attempts made, also those that are not kept any more.
    pub made: u16,
    pub attempts: Vec<Attempt>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Delivered,
    Failed,
    Cancelled,
    Pending(PendingState),
}

/// What a pending delivery waits for. Whoever held it does not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingState {
    pub attempt: u16,
    pub trigger: Trigger,
    pub retry_plan: RetryPlan,
    pub reported: bool,
    pub due_at: Timestamp,
    pub order: DeliveryOrder,
    /// Its position in the order of its endpoint, where that is not the order of the messages.
    pub position: Option<i64>,
}

/// The answer to a request with an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedKey {
    pub key: [u8; 32],
    pub fingerprint: [u8; 32],
    pub response: Vec<u8>,
    pub answered_at: Timestamp,
}

/// Chunk, and how to find what comes behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPage {
    pub chunk: Chunk,
    /// [`Cursor::after`] for the next part; `None` if this was the last of its kind.
    pub next: Option<Vec<u8>>,
}

/// How far a walk over everything is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub kind: ChunkKind,
    /// The source's own word for where it is within the kind; empty at its beginning.
    pub after: Vec<u8>,
}

/// Kinds of things, in the order in which they travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChunkKind {
    Applications,
    Endpoints,
    EventTypes,
    Sources,
    Messages,
    Recoveries,
    #[serde(rename = "Answers")]
    CompletedKeys,
    /// Everything has arrived.
    End,
}

/// How far a copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The copy's own number.
    pub copy: u64,
    /// Identity of the source.
    pub source: u64,
    #[serde(rename = "place")]
    pub cursor: Cursor,
    /// Messages that have arrived.
    pub messages: u64,
    /// Things that got another id.
    pub renamed: u64,
}

/// What is there where a copy is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    Empty,
    /// A part of a copy.
    Unfinished(Progress),
    /// Something else.
    Occupied,
}

/// Why nothing is copied. What is there stays as it is.
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

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Refused(#[from] CopyRefusal),
    #[error("the source")]
    Source(#[source] StoreError),
    #[error("the target")]
    Target(#[source] StoreError),
}

/// What a copy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    pub from: RecordCounts,
    pub to: RecordCounts,
    /// Things that got another id, because a folder tells ids apart by their first half.
    pub renamed: u64,
}

impl CopyReport {
    /// Everything has arrived.
    pub fn is_whole(&self) -> bool {
        self.from == self.to
    }
}

/// Copies everything, or what is missing of a copy that was interrupted. `number` is for a new
/// copy: nobody used it before. `tell` hears of each part that has arrived.
pub async fn copy(
    from: &dyn TransferStore,
    to: &dyn TransferStore,
    number: u64,
    mut tell: impl FnMut(&Progress, &RecordCounts),
) -> Result<CopyReport, CopyError> {
    let (mut before, mut progress) = begin(from, to, number).await?;
    let census = from.record_counts().await.map_err(CopyError::Source)?;
    tell(&progress, &census);
    let mut part = export(from, &progress.cursor).await?;
    while let Some(ExportPage { chunk, next }) = part {
        progress.advance(&chunk, next);
        let importing = to.import(chunk, before.take(), progress.clone());
        // The next part is fetched meanwhile.
        let (imported, exported) = tokio::join!(importing, export(from, &progress.cursor));
        progress.renamed += imported.map_err(CopyError::Target)?;
        before = Some(progress.clone());
        part = exported?;
        tell(&progress, &census);
    }
    if from.mark().await.map_err(CopyError::Source)? != Some(progress.copy) {
        return Err(CopyRefusal::Used.into());
    }
    let arrived = to.record_counts().await.map_err(CopyError::Target)?;
    let copied = CopyReport { from: census, to: arrived, renamed: progress.renamed };
    if copied.is_whole() {
        to.finish().await.map_err(CopyError::Target)?;
    }
    Ok(copied)
}

/// Finds out whether and where to begin: what the target has of the copy, and how far that is.
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
    from.export(cursor, PART).await.map(Some).map_err(CopyError::Source)
}

impl Progress {
    fn advance(&mut self, chunk: &Chunk, next: Option<Vec<u8>>) {
        if let Chunk::Messages(parcels) = chunk {
            self.messages += parcels.len() as u64;
        }
        match next {
            Some(after) => self.cursor.after = after,
            None => self.cursor = Cursor { kind: self.cursor.kind.next(), after: Vec::new() },
        }
    }

    /// The same with so many more things that got another id.
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
            Self::Sources => Self::Messages,
            Self::Messages => Self::Recoveries,
            Self::Recoveries => Self::CompletedKeys,
            Self::CompletedKeys | Self::End => Self::End,
        }
    }
}

impl Cursor {
    /// The id behind which to go on.
    pub(crate) fn id(&self) -> Result<u128, StoreError> {
        if self.after.is_empty() {
            return Ok(0);
        }
        let bytes = <[u8; 16]>::try_from(self.after.as_slice());
        bytes.map(u128::from_be_bytes).map_err(|error| corrupt("progress of a copy", error))
    }

    /// The texts behind which to go on.
    pub(crate) fn names(&self) -> Result<(String, String), StoreError> {
        if self.after.is_empty() {
            return Ok(Default::default());
        }
        let names = serde_json::from_slice(&self.after);
        names.map_err(|error| corrupt("progress of a copy", error))
    }
}

/// [`Cursor::after`] for [`Cursor::names`].
pub(crate) fn names(first: &str, second: &str) -> Vec<u8> {
    serde_json::to_vec(&(first, second)).expect("texts serialize")
}

/// The next cursor, unless the walk has come to its end.
pub(crate) fn next_cursor<T>(
    found: &[T],
    limit: usize,
    after: impl FnOnce(&T) -> Vec<u8>,
) -> Option<Vec<u8>> {
    found.last().filter(|_| found.len() >= limit).map(after)
}

/// A store that cannot be one end of a copy.
#[derive(Debug, thiserror::Error)]
pub enum TransferOpenError {
    /// Nothing was ever stored there.
    #[error("there is no installation there")]
    Missing,
    /// These nodes work with it.
    #[error("it is in use by {}", .0.join(", "))]
    InUse(Vec<String>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) fn corrupt(what: &'static str, source: impl Into<BoxError>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}
