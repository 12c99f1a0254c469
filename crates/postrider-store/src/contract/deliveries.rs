//! Deliveries, from the acceptance of a message until each of them has ended.

use std::{collections::HashMap, fmt, sync::Arc};

use async_trait::async_trait;
use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, DeliveryOrder, ResendMode, Settlement},
    message::Message,
    time::Timestamp,
};

use crate::{
    contract::catalog::{Parent, RecordId, RecordKind},
    error::StoreError,
};

/// A message to store, with its deliveries.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub message: Arc<Message>,
    pub targets: Vec<Target>,
    /// Digest of the request's idempotency key. A message whose digest is already stored is a
    /// duplicate and adds nothing.
    pub idempotency: Option<[u8; 32]>,
}

/// One delivery of a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub endpoint: EndpointId,
    pub hold: Hold,
    pub order: DeliveryOrder,
}

/// Who holds a delivery that was just appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The caller, until the given time; it settles or releases the delivery.
    Leased(Timestamp),
    /// The store, which offers it to claims from the given time on.
    Free(Timestamp),
}

/// The result of appending one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    New,
    /// The idempotency digest belongs to this message; nothing was added.
    Duplicate(MessageId),
    /// This message of the same application has the event id; nothing was added.
    EventIdTaken(MessageId),
    /// Another message has the id, or as much of it as the store compares: the embedded one
    /// compares the time and the counter. Nothing was added; a fresh id helps.
    IdTaken,
}

/// A request for due deliveries.
#[derive(Clone, Debug)]
pub struct Claim {
    pub now: Timestamp,
    pub lease_until: Timestamp,
    /// The maximum number of deliveries in total.
    pub limit: usize,
    /// The maximum per endpoint, for endpoints that `capacities` does not contain.
    pub per_endpoint: usize,
    /// The maximum for these endpoints. The store skips an endpoint without capacity before it
    /// looks at its deliveries, however many there are.
    pub capacities: HashMap<EndpointId, usize>,
    pub shard: Shard,
}

/// A part of all applications: those whose id falls into the part `index` of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: usize,
    pub count: usize,
}

impl Shard {
    /// All applications.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the application belongs to this part.
    #[expect(clippy::cast_possible_truncation, reason = "any of the random bits will do")]
    pub const fn holds(self, application: ApplicationId) -> bool {
        // The low bits of a UUIDv7 are random.
        application.tail() as usize % self.count == self.index
    }
}

/// The deliveries that a claim leased.
#[derive(Clone, Debug, Default)]
pub struct ClaimedBatch {
    /// A message without a body is damaged: its delivery has to fail.
    pub deliveries: Vec<(Delivery, Arc<Message>)>,
    /// When to claim again: when the next free delivery of an endpoint with capacity falls due,
    /// or when the next lease expires. Not later than `now` if the limit cut the result short.
    pub next_due: Option<Timestamp>,
}

/// Settlements and the operational messages that they cause, in one transaction.
#[derive(Clone, Debug, Default)]
pub struct SettleBatch {
    pub settlements: Vec<Settlement>,
    pub messages: Vec<NewMessage>,
}

/// The deliveries that a cancellation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Application(ApplicationId),
    Endpoint(ApplicationId, EndpointId),
    Message(ApplicationId, MessageId),
}

impl Scope {
    /// The deliveries that the removal of a record cancels.
    pub(crate) const fn of_removal(
        kind: RecordKind,
        parent: &Parent,
        id: &RecordId,
    ) -> Option<Self> {
        match (kind, parent, id) {
            (RecordKind::Application, _, RecordId::Uuid(id)) => {
                Some(Self::Application(ApplicationId::from_u128(*id)))
            },
            (RecordKind::Endpoint, Parent::Application(application), RecordId::Uuid(id)) => {
                Some(Self::Endpoint(*application, EndpointId::from_u128(*id)))
            },
            _ => None,
        }
    }
}

/// Accepts messages and moves their deliveries on until each of them has ended.
#[async_trait]
pub trait Deliveries: Send + Sync + fmt::Debug + 'static {
    /// Stores the messages and returns one outcome for each, in order. A message whose id is
    /// already stored adds nothing and counts as [`AppendOutcome::New`], so that a caller can
    /// repeat a batch whose result it did not learn. Otherwise, a new message was stored.
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError>;

    /// Leases due deliveries that are not leased: the endpoint that has waited longest first, and
    /// within an endpoint the delivery that has been due longest first.
    ///
    /// Deliveries of a disabled or paused endpoint stay unchanged, and are not offered until the
    /// endpoint is enabled or resumed. A delivery whose message has lost its body, or whose
    /// endpoint was removed, is cancelled instead of offered. A lease that expired before
    /// `claim.now` is void, and its delivery is due since it was due before.
    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError>;

    /// Records the attempts, updates their deliveries and appends the messages. A delivery that
    /// is retried waits as [`Delivery::after_failure`] describes.
    ///
    /// A settlement of a delivery that was cancelled meanwhile records the attempt and leaves
    /// the delivery cancelled. So does a settlement with another attempt number or trigger than
    /// the delivery waits for. Attempts that are already stored, and attempts of unknown
    /// deliveries, are skipped.
    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError>;

    /// Returns leased deliveries to the store, which offers each of them from its timestamp on
    /// and otherwise unchanged. Deliveries that are no longer leased are skipped. If there are very
    /// many, they are returned in several transactions.
    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError>;

    /// Makes a delivery due at `at` with the manual trigger, whatever its state; see
    /// [`Delivery::resent`]. Creates the delivery if the message never had it. A leased delivery
    /// stays unchanged. Returns `false` if the message is unknown or has lost its body.
    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError>;

    /// Stores a recovery, which [`Self::recover`] carries out. It survives a restart.
    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError>;

    /// Continues the oldest recovery: makes up to `limit` failed or cancelled deliveries due at
    /// `now`, as [`Self::resend`] does. Returns their number, or `None` if no recovery is stored.
    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError>;

    /// Cancels all pending deliveries of the scope, leased or not, and returns their number. If there
    /// are very many, they are cancelled in several transactions, and a failure may leave some of
    /// them pending.
    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError>;
}
