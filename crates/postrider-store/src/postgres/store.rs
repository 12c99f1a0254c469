//! The store's methods: which connection does what for each of them.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId, OrganizationId, RejectionId,
    SourceId,
};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Recovery, Source},
    delivery::{Attempt, Delivery, DeliveryId, ResendMode},
    message::{Message, Rejection},
    time::Timestamp,
};

use super::{
    PostgresStore, append, catalog, claim, ending, erase, expire, keys, reading, settle, sources,
    trouble, unsure,
};
use crate::{
    AppendOutcome, AttemptFilter, AttemptsOf, Catalog, Claim, ClaimedBatch, Cluster, Deliveries,
    DeliveriesOf, DeliveryFilter, DeliveryRow, History, IdOrUid, Idempotency, Key, KeyReservation,
    Maintenance, MessageFilter, NewMessage, NodeLease, Record, Rejections, Retention, Rewrite,
    Scan, ScanPage, Scope, SettleBatch, Shard, Stats, StoreError, StoreEvent, StoreSize,
};

/// How often a transaction that lost a race is made again.
const RACES: usize = 10;

/// Runs the body with a session of its own, again if it lost a race.
macro_rules! transact {
    ($store:ident.$pool:ident, |$session:ident| $body:expr) => {{
        let mut races = 0;
        loop {
            let mut session = $store.$pool().await?;
            let $session = &mut session;
            match $body.await {
                Err(error) if races < RACES && trouble::is_race(&error) => races += 1,
                result => break result,
            }
        }
    }};
}

impl PostgresStore {
    /// Gives back what this node may hold without having it.
    async fn give_back(&self, shard: Shard, now: Timestamp) -> Result<(), StoreError> {
        let doubts = self.unsure.of(shard, now);
        if !doubts.is_empty() {
            let freed = self.free(&doubts).await?;
            self.unsure.asked(&doubts, now);
            self.unsure.forget(freed);
        }
        Ok(())
    }

    /// Gives deliveries back; those that were held.
    async fn free(
        &self,
        deliveries: &[(Delivery, Timestamp)],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let node = self.node();
        transact!(self.work, |session| claim::release(session, node, deliveries))
    }
}

#[async_trait]
impl Deliveries for PostgresStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let node = self.node();
        let result = transact!(self.work, |session| append::append(session, node, &batch));
        if result.as_ref().is_err_and(trouble::is_unknown) {
            self.unsure.add(unsure::held(&batch));
        }
        result
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        self.give_back(claim.shard, claim.now).await?;
        let (node, mut taken) = (self.node(), Vec::new());
        let result =
            transact!(self.work, |session| claim::claim(session, node, &claim, &mut taken));
        match &result {
            Ok(claimed) => self.unsure.forget(claimed.deliveries.iter().map(|(it, _)| it.id)),
            Err(_) => self.unsure.add(taken),
        }
        result
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        let node = self.node();
        transact!(self.work, |session| settle::settle(session, node, &batch))
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        let result = self.free(&deliveries).await;
        if result.is_err() {
            self.unsure.add(deliveries.into_iter().map(|(it, _)| it));
        }
        result.map(drop)
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let when = (mode, at);
        transact!(self.call, |session| ending::resend(session, application, id, when))
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        transact!(self.call, |session| ending::begin_recovery(session, &recovery))
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        transact!(self.call, |session| ending::recover(session, now, limit))
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        transact!(self.call, |session| ending::cancel(session, scope))
    }
}

#[async_trait]
impl Catalog for PostgresStore {
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        transact!(self.call, |session| catalog::save(session, &record, create))
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        transact!(self.call, |session| catalog::remove(session, &key))
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        transact!(self.call, |session| catalog::application(session, organization, named))
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        transact!(self.call, |session| catalog::application_by_id(session, id))
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        transact!(self.call, |session| catalog::applications(session, organization, &scan))
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        transact!(self.call, |session| catalog::endpoint(session, application, named))
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        transact!(self.call, |session| catalog::endpoints(session, application, &scan))
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        transact!(self.call, |session| catalog::failing(session, application))
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        transact!(self.call, |session| catalog::event_type(session, organization, name))
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        transact!(self.call, |session| catalog::event_types(session, organization, archived, &scan))
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        transact!(self.call, |session| sources::source(session, organization, named))
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        transact!(self.call, |session| sources::source_by_token(session, &digest))
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        transact!(self.call, |session| sources::sources(session, organization, &scan))
    }
}

#[async_trait]
impl History for PostgresStore {
    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        transact!(self.call, |session| reading::message(session, application, named))
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        transact!(self.call, |session| reading::messages(session, application, &filter, &scan))
    }

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        transact!(self.call, |session| reading::attempt(session, application, message, id))
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        transact!(self.call, |session| reading::attempts(session, of, &filter, &scan))
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        transact!(self.call, |session| reading::deliveries(session, of, &filter, &scan))
    }

    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        transact!(self.call, |session| reading::stats(session, application, endpoint, since, until))
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        _endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        transact!(self.call, |session| reading::backlog(session, application, at_most))
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        transact!(self.call, |session| reading::last_sequence(session))
    }

    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        transact!(self.call, |session| ending::expunge_message(session, application, id))
    }

    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        transact!(self.call, |session| ending::expunge_attempt(session, application, message, id))
    }
}

#[async_trait]
impl Idempotency for PostgresStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        let node = self.node();
        transact!(self.call, |session| keys::reserve(session, node, &key, &fingerprint, now))
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let node = self.node();
        transact!(self.call, |session| keys::answer(session, node, &key, response.as_deref(), now))
    }
}

#[async_trait]
impl Rejections for PostgresStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        transact!(self.call, |session| sources::reject(session, &rejections))
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        transact!(self.call, |session| sources::rejections(session, source, &scan))
    }
}

#[async_trait]
impl Maintenance for PostgresStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        transact!(self.call, |session| expire::expire(session, &self.shared.upkeep, now, retention))
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        transact!(self.call, |session| erase::erase(session, now, limit))
    }

    async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<u64, StoreError> {
        transact!(self.call, |session| catalog::rewrite(session, &*rewrite))
    }

    /// The database has tools of its own for that.
    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(trouble::unavailable("use pg_dump or the backups of the database"))
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        transact!(self.call, |session| reading::size(session, &self.shared.bytes))
    }

    async fn failed(&self) {
        self.shared.ended.cancelled().await;
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.end().await
    }
}

#[async_trait]
impl Cluster for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.database_time().await.map(Some)
    }

    fn node_lease(&self) -> NodeLease {
        self.current_tenure()
    }

    async fn next_event(&self) -> StoreEvent {
        self.next_news().await
    }
}
