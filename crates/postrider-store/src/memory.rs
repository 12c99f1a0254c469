//! The reference: everything in plain maps behind one lock, nothing on disk.
//!
//! It is for tests and for trying things out. It keeps every promise of [`Store`] that does
//! not need a disk, and where the others are clever it scans.

mod catalog;
mod deliveries;
mod nodes;
mod reading;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId, OrganizationId, RejectionId,
    SourceId, Uid,
};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Recovery, Source},
    delivery::{Attempt, Delivery, DeliveryId, ResendMode},
    message::{Message, Rejection},
    time::Timestamp,
};

use self::{
    deliveries::Duty,
    nodes::{Nodes, Seat, lock},
};
use crate::{
    AppendOutcome, AttemptFilter, AttemptsOf, Catalog, Claim, ClaimedBatch, Cluster, Deliveries,
    DeliveriesOf, DeliveryFilter, DeliveryRow, History, IdOrUid, Idempotency, Key, KeyReservation,
    Maintenance, MessageFilter, NewMessage, NodeLease, Record, Rejections, Retention, Rewrite,
    Scan, ScanPage, Scope, SettleBatch, Stats, StoreError, StoreSize,
};

/// A store in memory; it ends with the process. A value is one node's hold of it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    seat: Seat,
}

#[derive(Debug, Default)]
struct State {
    nodes: Nodes,
    messages: BTreeMap<MessageId, Arc<Message>>,
    event_ids: HashMap<(ApplicationId, Uid), MessageId>,
    idempotent: HashMap<[u8; 32], MessageId>,
    deliveries: BTreeMap<DeliveryId, Duty>,
    /// Deliveries that nobody holds and that have no place in an order, in that of claims.
    waiting: BTreeSet<(EndpointId, Timestamp, MessageId)>,
    /// Deliveries that have a place in an order, held or not.
    order: BTreeSet<(EndpointId, MessageId)>,
    /// Deliveries that somebody holds, by the end of the lease.
    leases: BTreeSet<(Timestamp, DeliveryId)>,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Each with the message that it got to.
    recoveries: VecDeque<(Recovery, MessageId)>,
    applications: BTreeMap<ApplicationId, Application>,
    endpoints: BTreeMap<EndpointId, Endpoint>,
    failing: BTreeMap<EndpointId, Timestamp>,
    event_types: BTreeMap<(OrganizationId, EventTypeName), EventType>,
    sources: BTreeMap<SourceId, Source>,
    rejections: BTreeMap<(SourceId, RejectionId), Rejection>,
    reservations: HashMap<[u8; 32], Reserved>,
    /// Applications that were removed, and when what is left of them is erased.
    erasures: BTreeMap<ApplicationId, Timestamp>,
}

#[derive(Debug)]
struct Reserved {
    fingerprint: [u8; 32],
    /// The answer and when it was given; none while the request runs.
    answer: Option<(Vec<u8>, Timestamp)>,
}

impl MemoryStore {
    /// Makes every call of this node fail as unavailable until it is made available again, for
    /// tests of what callers do then.
    pub fn set_available(&self, available: bool) {
        *lock(&self.seat.is_cut) = !available;
    }

    /// Makes every claim of this node panic, as a bug would, for tests of what notices it.
    pub fn set_panicking(&self, panicking: bool) {
        *lock(&self.seat.is_panicking) = panicking;
    }

    /// Runs one transaction. A panic in one leaves nothing half done that a later one
    /// could trip over, so a poisoned lock is used on.
    fn with<T>(
        &self,
        transaction: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if *lock(&self.seat.is_closed) {
            return Err(StoreError::Unavailable("the store is closed".into()));
        }
        if *lock(&self.seat.is_cut) {
            return Err(StoreError::Unavailable("the store was made unavailable".into()));
        }
        let mut state = lock(&self.state);
        state.nodes.actor = self.tenure_now().epoch;
        transaction(&mut state)
    }
}

#[async_trait]
impl Deliveries for MemoryStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.with_holder(|state| Ok(batch.into_iter().map(|new| state.append(new)).collect())).await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        assert!(!*lock(&self.seat.is_panicking), "the store was made to panic");
        self.with_holder(|state| Ok(state.claim(&claim))).await
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        self.with_holder(|state| {
            for settlement in &batch.settlements {
                state.settle(settlement);
            }
            for new in &batch.messages {
                state.append(new.clone());
            }
            Ok(())
        })
        .await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        self.with_holder(|state| {
            for (delivery, at) in &deliveries {
                state.release_own(delivery, *at);
            }
            Ok(())
        })
        .await
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        self.with(|state| Ok(state.resend(application, id, at, mode)))
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        self.with(|state| {
            state.recoveries.push_back((recovery, MessageId::from_u128(0)));
            Ok(())
        })
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        self.with(|state| Ok(state.recover(now, limit)))
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        self.with(|state| Ok(state.cancel(scope)))
    }
}

#[async_trait]
impl Catalog for MemoryStore {
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        self.with(|state| state.save(record, create))
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        self.with(|state| Ok(state.remove(&key)))
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        self.with(|state| Ok(state.application(organization, named)))
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        self.with(|state| Ok(state.applications.get(&id).cloned()))
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        self.with(|state| Ok(state.list_applications(organization, &scan)))
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        self.with(|state| Ok(state.endpoint(application, named)))
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        self.with(|state| Ok(state.list_endpoints(application, &scan)))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        self.with(|state| Ok(state.failing(application)))
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        let key = (organization.clone(), name.clone());
        self.with(|state| Ok(state.event_types.get(&key).cloned()))
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        self.with(|state| Ok(state.list_event_types(organization, archived, &scan)))
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        self.with(|state| Ok(state.source(organization, named)))
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        self.with(|state| Ok(state.source_by_token(digest)))
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        self.with(|state| Ok(state.list_sources(organization, &scan)))
    }
}

#[async_trait]
impl History for MemoryStore {
    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        self.with(|state| Ok(state.message(application, named)))
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.with(|state| Ok(state.list_messages(application, &filter, &scan)))
    }

    async fn attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        self.with(|state| {
            Ok(state.attempts.get(&id).filter(|it| it.delivery.message == message).cloned())
        })
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.with(|state| Ok(state.list_attempts(of, &filter, &scan)))
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        self.with(|state| Ok(state.list_deliveries(of, &filter, &scan)))
    }

    async fn stats(
        &self,
        _application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        self.with(|state| Ok(state.stats(endpoint, since, until)))
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        _endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        self.with(|state| Ok(state.backlog(application).min(at_most)))
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.with(|state| {
            let message = state.messages.keys().last().map_or(0, |id| id.sequence());
            let attempt = state.attempts.keys().last().map_or(0, |id| id.sequence());
            Ok(message.max(attempt))
        })
    }

    async fn expunge_message(
        &self,
        _application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        self.with(|state| Ok(state.expunge(id)))
    }

    async fn expunge_attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        self.with(|state| {
            let attempt = state.attempts.get_mut(&id).filter(|it| it.delivery.message == message);
            Ok(attempt.map(|attempt| attempt.response = None).is_some())
        })
    }
}

#[async_trait]
impl Idempotency for MemoryStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        _now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        self.with(|state| Ok(state.reserve(key, fingerprint)))
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.with(|state| {
            state.answer(key, response, now);
            Ok(())
        })
    }
}

#[async_trait]
impl Rejections for MemoryStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        self.with(|state| {
            for it in rejections {
                state.reject(it);
            }
            Ok(())
        })
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        self.with(|state| Ok(state.list_rejections(source, &scan)))
    }
}

#[async_trait]
impl Maintenance for MemoryStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        self.with(|state| {
            state.expire(now, retention);
            Ok(false)
        })
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        self.with(|state| Ok(state.erase(now, limit)))
    }

    async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<u64, StoreError> {
        self.with(|state| Ok(state.rewrite(&*rewrite)))
    }

    /// There is nothing on disk that could be copied.
    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("a store in memory has no backup".into()))
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        self.with(|state| Ok(state.size()))
    }

    async fn close(&self) -> Result<(), StoreError> {
        let number = self.tenure_now().epoch;
        self.with(|state| {
            state.leave(number);
            Ok(())
        })?;
        *lock(&self.seat.is_closed) = true;
        Ok(())
    }
}

#[async_trait]
impl Cluster for MemoryStore {
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.with(|_| Ok(()))?;
        Ok(self.shared_time())
    }

    fn node_lease(&self) -> NodeLease {
        self.tenure_now()
    }
}
