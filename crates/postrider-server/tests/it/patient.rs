//! The store on PostgreSQL under a clock that only tests move.
//!
//! A paused clock jumps ahead whenever nobody has anything to do, and to wait for the database
//! looks like that. So time stands still during every call, and the store lives on a thread with
//! a clock that goes.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, EndpointId, EventTypeName, MessageId, OrganizationId, RejectionId,
    SourceId,
};
use postrider_core::{
    catalog::{Application, Endpoint, EventType, Recovery, Source},
    delivery::{Attempt, Delivery, DeliveryId},
    message::{Message, Rejection},
    time::Timestamp,
};
use postrider_store::{
    AppendOutcome, AttemptFilter, AttemptsOf, Claim, ClaimedBatch, DeliveriesOf, DeliveryFilter,
    DeliveryRow, IdOrUid, Key, KeyReservation, MessageFilter, NewMessage, NodeLease,
    PostgresOptions, PostgresStore, Record, ResendMode, Retention, Rewrite, Scan, ScanPage, Scope,
    SettleBatch, Stats, Store, StoreError, StoreEvent, StoreSize,
};

use crate::schema::Schema;

#[derive(Debug)]
pub(crate) struct Patient {
    store: PostgresStore,
    _schema: Schema,
}

impl Patient {
    pub(crate) fn open(schema: Schema) -> Self {
        let url = schema.url.clone();
        let options = PostgresOptions { url, connections: 2, ..PostgresOptions::default() };
        let (sender, opened) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                sender.send(PostgresStore::open(options).await.unwrap()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        Self { store: opened.recv().unwrap(), _schema: schema }
    }
}

/// A paused clock does not jump while this exists, for something seems to be at work.
fn still() -> mpsc::Sender<()> {
    let (guard, end) = mpsc::channel();
    tokio::task::spawn_blocking(move || end.recv().ok());
    guard
}

#[async_trait]
impl Store for Patient {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let _still = still();
        self.store.append(batch).await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        let _still = still();
        self.store.claim(claim).await
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        let _still = still();
        self.store.settle(batch).await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        let _still = still();
        self.store.release(deliveries).await
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let _still = still();
        self.store.resend(application, id, at, mode).await
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        let _still = still();
        self.store.begin_recovery(recovery).await
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        let _still = still();
        self.store.recover(now, limit).await
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        let _still = still();
        self.store.cancel(scope).await
    }

    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        let _still = still();
        self.store.save(record, create).await
    }

    async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<u64, StoreError> {
        let _still = still();
        self.store.rewrite(rewrite).await
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        let _still = still();
        self.store.remove(key).await
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        let _still = still();
        self.store.application(organization, named).await
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        let _still = still();
        self.store.application_by_id(id).await
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        let _still = still();
        self.store.applications(organization, scan).await
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        let _still = still();
        self.store.endpoint(application, named).await
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        let _still = still();
        self.store.endpoints(application, scan).await
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        let _still = still();
        self.store.failing(application).await
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        let _still = still();
        self.store.event_type(organization, name).await
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        let _still = still();
        self.store.event_types(organization, archived, scan).await
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        let _still = still();
        self.store.source(organization, named).await
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        let _still = still();
        self.store.source_by_token(digest).await
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        let _still = still();
        self.store.sources(organization, scan).await
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        let _still = still();
        self.store.rejections(source, scan).await
    }

    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        let _still = still();
        self.store.reject(rejections).await
    }

    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        let _still = still();
        self.store.message(application, named).await
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        let _still = still();
        self.store.messages(application, filter, scan).await
    }

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        let _still = still();
        self.store.attempt(application, message, id).await
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        let _still = still();
        self.store.attempts(of, filter, scan).await
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        let _still = still();
        self.store.deliveries(of, filter, scan).await
    }

    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        let _still = still();
        self.store.stats(application, endpoint, since, until).await
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        let _still = still();
        self.store.backlog(application, endpoints, at_most).await
    }

    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        let _still = still();
        self.store.expunge_message(application, id).await
    }

    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        let _still = still();
        self.store.expunge_attempt(application, message, id).await
    }

    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        let _still = still();
        self.store.reserve_key(key, fingerprint, now).await
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _still = still();
        self.store.complete_key(key, response, now).await
    }

    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        let _still = still();
        self.store.expire(now, retention).await
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        let _still = still();
        self.store.erase(now, limit).await
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let _still = still();
        self.store.check_writable().await
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        let _still = still();
        self.store.last_sequence().await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        let _still = still();
        self.store.size().await
    }

    /// The clock of the tests is the engine's.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let _still = still();
        self.store.backup(to).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let _still = still();
        self.store.close().await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn node_lease(&self) -> NodeLease {
        NodeLease { valid_until: Timestamp::MAX, ..self.store.node_lease() }
    }

    async fn next_event(&self) -> StoreEvent {
        self.store.next_event().await
    }
}
