//! Keeps what was accepted, what is still to be done, and what was done.
//!
//! [`Store`] is the one door to durable state, and a method of it is a transaction. Its
//! writes are batches, so that group commit is the caller's and every implementation stays
//! simple. What the trait promises is written down twice: in its doc comments, and as
//! executable cases in `tests/it`, which every implementation must pass.

mod embedded;
mod memory;
mod postgres;
pub mod private;
mod query;
mod rejected;
pub mod transfer;
mod weight;

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId, OrganizationId, RejectionId,
    SourceId, Uid,
};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Recovery, Source},
    delivery::{Attempt, Delivery, DeliveryId, Settlement},
    message::{Message, Rejection},
    time::Timestamp,
};

pub use postrider_core::delivery::{DeliveryOrder, ResendMode};

pub use crate::{
    embedded::{EmbeddedStore, EmbeddedTransferStore, NumberCounts, Options, backup},
    memory::MemoryStore,
    postgres::{
        Installation, MigrationReport, OpenError, PostgresOptions, PostgresStore,
        PostgresTransferStore, database_location,
    },
    query::{
        AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, MessageFilter, Scan,
        ScanPage, Stats, StatusKind,
    },
    weight::{LIST_BYTES, Weight},
};

/// A message to be made durable, with its deliveries.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub message: Arc<Message>,
    pub targets: Vec<Target>,
    /// Digest of the request's idempotency key: if a message with the same one was appended
    /// before and is still known, that one stands for this one.
    pub idempotency: Option<[u8; 32]>,
}

/// One delivery of a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub endpoint: EndpointId,
    pub hold: Hold,
    pub order: DeliveryOrder,
}

/// Who owns a delivery that was just appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The caller, until then; it will settle or release it.
    Leased(Timestamp),
    /// The store, which offers it to claims from then on.
    Free(Timestamp),
}

/// What became of one appended message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    New,
    /// The idempotency digest is known: nothing was added, this message stands for it.
    Duplicate(MessageId),
    /// The application has another message with the same event id: nothing was added.
    EventIdTaken(MessageId),
}

/// Asks for due deliveries.
#[derive(Clone, Debug)]
pub struct Claim {
    pub now: Timestamp,
    pub lease_until: Timestamp,
    /// Most deliveries in all.
    pub limit: usize,
    /// Most deliveries of an endpoint that `capacities` does not name.
    pub per_endpoint: usize,
    /// Most deliveries of these endpoints; those with no room are passed over without a look
    /// at their deliveries, however many there are.
    pub capacities: HashMap<EndpointId, usize>,
    pub shard: Shard,
}

/// A part of all applications: those whose id's digest falls on `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: usize,
    pub count: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the application falls into this part.
    #[expect(clippy::cast_possible_truncation, reason = "any of the random bits will do")]
    pub const fn holds(self, application: ApplicationId) -> bool {
        // The low bits of a UUIDv7 are random.
        application.tail() as usize % self.count == self.index
    }
}

/// What a claim found.
#[derive(Clone, Debug, Default)]
pub struct ClaimedBatch {
    pub deliveries: Vec<(Delivery, Arc<Message>)>,
    /// When to claim again: the next delivery that nobody holds, of an endpoint that still
    /// has room, falls due, or the next lease runs out. Not later than `now` if more was due
    /// than was asked for.
    pub next_due: Option<Timestamp>,
}

/// Settlements and the operational messages that follow from them: one transaction.
#[derive(Clone, Debug, Default)]
pub struct SettleBatch {
    pub settlements: Vec<Settlement>,
    pub messages: Vec<NewMessage>,
}

/// What a delivery ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
    Message(ApplicationId, MessageId),
}

/// Something that users configure, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Application(Application),
    Endpoint(Endpoint),
    EventType(EventType),
    /// No two have one token, or in one organization one uid. [`StoreEvent::ApplicationChanged`] tells other
    /// nodes of its application.
    Source(Box<Source>),
}

/// Names something that users configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// With its endpoints and its sources.
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
    EventType(OrganizationId, EventTypeName),
    /// With its rejections.
    Source(OrganizationId, SourceId),
}

/// How a path names an application, an endpoint or a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdOrUid<I> {
    Id(I),
    Uid(Uid),
}

/// What is known of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReservation {
    /// Nobody used it; it is the caller's now.
    Acquired,
    /// Another request of this node took it and has not responded; the key now carries the
    /// caller's fingerprint. The caller must know that the other request has ended.
    InProgress,
    /// Another node took it a moment ago and has not responded. Whatever its fingerprint, the
    /// request may still be refused, which frees the key.
    InProgressElsewhere,
    /// The same request was answered with this.
    Completed(Vec<u8>),
    /// A request with another fingerprint was answered under it.
    FingerprintMismatch,
}

/// How what is encrypted is written down, if it is to be another way than it is; see
/// [`Store::rewrite`].
pub trait Rewrite: Send + Sync {
    fn endpoint(&self, it: &Endpoint) -> Option<Endpoint>;

    fn source(&self, it: &Source) -> Option<Source>;

    /// An answer to an idempotency key.
    fn response(&self, key: [u8; 32], answer: &[u8]) -> Option<Vec<u8>>;
}

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Messages and attempts, from their acceptance. A pending delivery keeps its message,
    /// unless its endpoint is disabled: then it ends as cancelled.
    pub rows: Duration,
    /// Answers to idempotency keys.
    pub idempotency: Duration,
    /// Digests of messages, from their acceptance: [`NewMessage::idempotency`].
    pub digests: Duration,
    /// Rejections, from their coming.
    pub rejections: Duration,
}

/// Most rejections that are kept of one source; beyond, the oldest go first.
pub const MAX_REJECTIONS: usize = 1_000;

/// The right of a process to what it holds. It is renewed in the background; when it has not
/// been for too long, other nodes take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLease {
    /// A new number says that everything that was held under the one before is lost: it may
    /// have another holder now.
    pub epoch: u64,
    /// No call may begin from then on, by [`Store::time`], until it is renewed.
    pub valid_until: Timestamp,
}

/// What another node did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// An application, or an endpoint of it, was changed or removed.
    ApplicationChanged(ApplicationId),
    /// Changes may have been missed: nothing that was remembered counts any more.
    EventsMissed,
    /// Deliveries fell due or were given back.
    DeliveriesDue,
    /// So many deliveries of a node that died are due again; this node found them.
    DeliveriesTakenOver(u64),
}

/// Sizes for metrics and people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Deliveries that wait in the store; not those that are leased.
    pub waiting: u64,
    /// When the one of them that waits longest fell due; not those that are paused.
    pub oldest_due: Option<Timestamp>,
    pub bytes: u64,
}

/// Durable state. Every method is a transaction: all or nothing, and durable when it
/// returns. Reads see everything that a method acknowledged before they began.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    // ---- deliveries

    /// Makes the messages durable and answers for each of them, in order. A message whose
    /// id is already known counts as [`AppendOutcome::New`] and adds nothing.
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError>;

    /// Leases due deliveries that nobody holds, those of the endpoint that waits longest
    /// first, and within an endpoint the longest due first. Those of a disabled endpoint are
    /// paused: they stay as they are, and are not offered until it is enabled. A delivery whose message has no
    /// body any more, or whose endpoint is gone, is not offered but cancelled. A lease that
    /// has run out by `claim.now` is no lease; the delivery is due since it was before.
    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError>;

    /// Records the attempts, moves their deliveries on, and appends the messages. What is to be
    /// tried again waits as [`Delivery::after_failure`] says. A
    /// settlement of a delivery that was cancelled meanwhile records the attempt and does
    /// not bring the delivery back; neither does one that names another attempt number or
    /// trigger than the delivery waits for. An attempt that is known already is passed over,
    /// and so is one of a delivery that is not known.
    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError>;

    /// Gives leased deliveries back, to be offered from their timestamp on, unchanged
    /// otherwise. Those that are not held any more are passed over.
    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError>;

    /// Makes a delivery due at `at`, triggered by hand, whatever became of it before; see
    /// [`Delivery::resent`]. Creates it if the message never had it. One that is leased is left
    /// alone. `false` if the message is not known or has no body any more.
    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError>;

    /// Notes a recovery, to be done by [`Self::recover`]; it survives a restart.
    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError>;

    /// Takes the oldest recovery forward by up to `limit` failed or cancelled deliveries, which
    /// become due at `now` as by [`Self::resend`]. How many, or `None` if there was no recovery.
    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError>;

    /// Ends the waiting and the leased deliveries of the scope as cancelled; how many.
    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError>;

    // ---- catalog

    /// Creates the record, or replaces the one with its id. [`StoreError::Conflict`] if
    /// `create` is set and it exists, or if another one has its uid. Saving an endpoint as
    /// disabled pauses its deliveries, and forgets since when it was failing; saving it as
    /// enabled makes them available again, of which [`StoreEvent::DeliveriesDue`] tells other nodes.
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError>;

    /// Writes every endpoint, source and answer to an idempotency key down again that `rewrite`
    /// returns something for; how many. What else was saved meanwhile stays. What they mean does
    /// not change, so neither deliveries nor other nodes are concerned. No trace of what was there
    /// is left in files that the store alone writes.
    async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<u64, StoreError>;

    /// Removes the record; `false` if there was none. Its deliveries are cancelled first.
    async fn remove(&self, key: Key) -> Result<bool, StoreError>;

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError>;

    /// The application with this id, of whatever organization.
    async fn application_by_id(&self, id: ApplicationId)
    -> Result<Option<Application>, StoreError>;

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError>;

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError>;

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError>;

    /// Since when each endpoint of the application that fails has been failing, as settlements
    /// said: when the first delivery was exhausted since the last success.
    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError>;

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError>;

    /// In the order of their names; archived ones only if asked for.
    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError>;

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError>;

    /// The source whose token has this digest, of whatever organization.
    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError>;

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError>;

    // ---- reading

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError>;

    /// A message, by its id or its event id.
    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError>;

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError>;

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError>;

    /// Attempts with their messages; the messages without bodies unless the filter asks.
    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError>;

    /// Deliveries and where they stand.
    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError>;

    /// Counts the endpoint's deliveries of messages accepted in `since..until`.
    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError>;

    /// Counts the application's deliveries that have not ended, but no more than `at_most`.
    /// `endpoints` are those of the application.
    async fn backlog(
        &self,
        application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError>;

    // ---- upkeep

    /// Keeps requests that were turned away, at most [`MAX_REJECTIONS`] of a source. Those of
    /// sources that are not known are passed over.
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError>;

    /// Removes the body of a message, which ends its deliveries; `false` if unknown.
    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError>;

    /// Removes the stored answer of an attempt; `false` if unknown.
    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError>;

    /// Takes an idempotency key (its digest) for a request with this fingerprint.
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError>;

    /// Keeps the answer for a reserved key, or gives the key up.
    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes what has outlived its time, a bounded amount per call; `true` if there is
    /// more to do at once.
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError>;

    /// Erases what is left of applications that were removed, up to `limit` messages per call:
    /// messages and their event ids and digests, deliveries and attempts. What was still
    /// accepted for one while it was removed is erased a minute later. `true` if there is more
    /// to do at once.
    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError>;

    /// The highest [`MessageId::sequence`] or [`AttemptId::sequence`] that is stored, so
    /// that new ids sort after them whatever the clock does.
    async fn last_sequence(&self) -> Result<u64, StoreError>;

    async fn size(&self) -> Result<StoreSize, StoreError>;

    /// An error if new messages would be refused, as far as that is known: [`StoreError::Full`]
    /// if there is no room for them.
    async fn check_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    // ---- several nodes

    /// Whether other processes may use the store at the same time.
    fn is_shared(&self) -> bool {
        false
    }

    /// The time of the clock that all nodes share; none if this process has the store to
    /// itself and its own clock will do.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// By what right this process holds what it holds. Cheap; asked before every round of
    /// calls.
    fn node_lease(&self) -> NodeLease {
        NodeLease { epoch: 0, valid_until: Timestamp::MAX }
    }

    /// Waits for something that the engine has not caused itself. One caller at a time.
    async fn next_event(&self) -> StoreEvent {
        std::future::pending().await
    }

    /// Returns when a part of the store has stopped on its own, by a panic. Nothing is lost,
    /// but the store has to be opened again.
    async fn failed(&self) {
        std::future::pending::<()>().await;
    }

    /// Writes a consistent copy to a folder, which is created; it may run beside everything.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Makes everything durable and ends; later calls are [`StoreError::Unavailable`].
    async fn close(&self) -> Result<(), StoreError>;
}

/// A boxed cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One variant per reaction the caller can have.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again later; nothing was written, unless the answer itself was lost on its way.
    #[error("store is unavailable")]
    Unavailable(#[source] BoxError),
    /// There is no room; nothing was written. It goes on by itself once there is.
    #[error("store is full")]
    Full(#[source] BoxError),
    /// Another record has the same id, name or uid.
    #[error("{what} is taken")]
    Conflict { what: &'static str },
    /// Stored bytes do not decode; an operator has to look.
    #[error("stored {what} is corrupt")]
    Corrupt { what: &'static str, source: BoxError },
}
