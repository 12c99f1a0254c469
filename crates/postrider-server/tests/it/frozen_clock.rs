//! The store on PostgreSQL under a clock that only tests move.
//!
//! A paused clock jumps ahead as soon as every task waits, and waiting for the database counts as
//! waiting. So time stands still during every call, and the store runs on a thread with a real
//! clock.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use async_trait::async_trait;
use postrider::{
    ApplicationId, AttemptId, AuditId, ConsumerId, EndpointId, MessageId, OrganizationId,
    RejectionId, SourceId, TaskId, Uid,
};
use postrider_core::{
    audit::AuditEntry,
    catalog::{Endpoint, Recovery, Task},
    delivery::{Attempt, Delivery, DeliveryId},
    lane_state::LaneState,
    message::{Message, Rejection},
    polling::PollConsumer,
    statistics::{Counted, Counters, Period, RollupKey, StatisticsRetention, Subject},
    time::Timestamp,
};
use postrider_store::{
    AppendOutcome, AttemptFilter, AttemptSearch, AttemptsOf, AuditFilter, AuditLog, BatchedChange,
    Catalog, Change, Changed, Claim, ClaimedBatch, Cluster, Deliveries, DeliveriesOf,
    DeliveryFilter, DeliveryRow, EndpointCounts, EndpointKey, EndpointPlace, EndpointRow,
    EndpointTotals, Expected, History, IdOrUid, Idempotency, KeyReservation, LogKey, LogPage,
    Maintenance, MessageFilter, MessageSearch, NewMessage, NodeLease, NodeRow, Overview, Parent,
    PollLogs, PostgresOptions, PostgresStore, Queued, Ranked, Reach, RecordId, RecordKind,
    RecordRange, RecordRow, Rejections, ResendMode, Retention, Rewrite, RewritePage,
    RewritePosition, SavedConsumer, Scan, ScanPage, Scope, Search, Selector, SettleBatch, SignIn,
    SignIns, Space, Statistics, Stats, StoreError, StoreEvent, StoreSize, StoredRecord, TaskBatch,
    Tasks, Version,
};

use crate::schema::Schema;

#[derive(Debug)]
pub(crate) struct FrozenClockStore {
    store: PostgresStore,
    _schema: Schema,
}

impl FrozenClockStore {
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

/// Keeps a paused clock from jumping ahead while the guard exists: a blocking task is running.
fn hold_clock() -> mpsc::Sender<()> {
    let (guard, end) = mpsc::channel();
    tokio::task::spawn_blocking(move || end.recv().ok());
    guard
}

#[async_trait]
impl Deliveries for FrozenClockStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let _guard = hold_clock();
        self.store.append(batch).await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        let _guard = hold_clock();
        self.store.claim(claim).await
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.settle(batch).await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.release(deliveries).await
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.resend(application, id, at, mode).await
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.begin_recovery(recovery).await
    }

    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        let _guard = hold_clock();
        self.store.recover(now, limit).await
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        let _guard = hold_clock();
        self.store.cancel(scope).await
    }
}

#[async_trait]
impl Catalog for FrozenClockStore {
    async fn get_record(
        &self,
        kind: RecordKind,
        selector: Selector,
    ) -> Result<Option<StoredRecord>, StoreError> {
        let _guard = hold_clock();
        self.store.get_record(kind, selector).await
    }

    async fn list_records(
        &self,
        kind: RecordKind,
        range: RecordRange,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let _guard = hold_clock();
        self.store.list_records(kind, range).await
    }

    async fn consumers(
        &self,
        after: Option<ConsumerId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let _guard = hold_clock();
        self.store.consumers(after, limit).await
    }

    async fn save_record(
        &self,
        record: RecordRow,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        let _guard = hold_clock();
        self.store.save_record(record, expected).await
    }

    async fn remove_record(
        &self,
        kind: RecordKind,
        parent: Parent,
        id: RecordId,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.remove_record(kind, parent, id).await
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        let _guard = hold_clock();
        self.store.failing(application).await
    }
}

#[async_trait]
impl History for FrozenClockStore {
    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        let _guard = hold_clock();
        self.store.message(application, named).await
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        let _guard = hold_clock();
        self.store.messages(application, filter, scan).await
    }

    async fn attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        let _guard = hold_clock();
        self.store.attempt(application, message, id).await
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        let _guard = hold_clock();
        self.store.attempts(of, filter, scan).await
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        let _guard = hold_clock();
        self.store.deliveries(of, filter, scan).await
    }

    async fn stats(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        let _guard = hold_clock();
        self.store.stats(application, endpoint, since, until).await
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        let _guard = hold_clock();
        self.store.backlog(application, endpoints, at_most).await
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        let _guard = hold_clock();
        self.store.last_sequence().await
    }

    async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.expunge_message(application, id).await
    }

    async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.expunge_attempt(application, message, id).await
    }
}

#[async_trait]
impl AuditLog for FrozenClockStore {
    async fn change_all(&self, changes: Vec<BatchedChange>) -> Result<Vec<Changed>, StoreError> {
        let _guard = hold_clock();
        self.store.change_all(changes).await
    }

    async fn change(&self, change: Change, entry: AuditEntry) -> Result<Changed, StoreError> {
        let _guard = hold_clock();
        self.store.change(change, entry).await
    }

    async fn audit_log(
        &self,
        organization: &OrganizationId,
        filter: AuditFilter,
        scan: Scan<AuditId>,
    ) -> Result<ScanPage<AuditEntry, AuditId>, StoreError> {
        let _guard = hold_clock();
        self.store.audit_log(organization, filter, scan).await
    }
}

#[async_trait]
impl Search for FrozenClockStore {
    async fn search_messages(
        &self,
        reach: Reach,
        search: MessageSearch,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        let _guard = hold_clock();
        self.store.search_messages(reach, search, scan).await
    }

    async fn search_attempts(
        &self,
        reach: Reach,
        search: AttemptSearch,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        let _guard = hold_clock();
        self.store.search_attempts(reach, search, scan).await
    }

    async fn messages_by_event_id(
        &self,
        organization: OrganizationId,
        event_id: Uid,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let _guard = hold_clock();
        self.store.messages_by_event_id(organization, event_id, limit).await
    }

    async fn endpoints_by_key(
        &self,
        organization: OrganizationId,
        key: EndpointKey,
        limit: usize,
    ) -> Result<Vec<Endpoint>, StoreError> {
        let _guard = hold_clock();
        self.store.endpoints_by_key(organization, key, limit).await
    }

    async fn rejection_by_id(
        &self,
        organization: OrganizationId,
        id: RejectionId,
    ) -> Result<Option<Rejection>, StoreError> {
        let _guard = hold_clock();
        self.store.rejection_by_id(organization, id).await
    }
}

#[async_trait]
impl Idempotency for FrozenClockStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        let _guard = hold_clock();
        self.store.reserve_key(key, fingerprint, now).await
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.complete_key(key, response, now).await
    }
}

#[async_trait]
impl Tasks for FrozenClockStore {
    async fn open_tasks(
        &self,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let _guard = hold_clock();
        self.store.open_tasks(after, limit).await
    }

    async fn run_batch(&self, batch: TaskBatch) -> Result<(Task, Version), StoreError> {
        let _guard = hold_clock();
        self.store.run_batch(batch).await
    }
}

#[async_trait]
impl SignIns for FrozenClockStore {
    async fn sign_in(&self, digest: [u8; 32]) -> Result<Option<SignIn>, StoreError> {
        let _guard = hold_clock();
        self.store.sign_in(digest).await
    }
}

#[async_trait]
impl PollLogs for FrozenClockStore {
    async fn append_to_log(
        &self,
        log: LogKey,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.append_to_log(log, messages, at).await
    }

    async fn read_log(&self, log: LogKey, after: u64, limit: usize) -> Result<LogPage, StoreError> {
        let _guard = hold_clock();
        self.store.read_log(log, after, limit).await
    }

    async fn log_end(&self, log: LogKey) -> Result<u64, StoreError> {
        let _guard = hold_clock();
        self.store.log_end(log).await
    }

    async fn log_offset_at(&self, log: LogKey, at: Timestamp) -> Result<u64, StoreError> {
        let _guard = hold_clock();
        self.store.log_offset_at(log, at).await
    }

    async fn poll_consumer(
        &self,
        log: LogKey,
        id: &str,
    ) -> Result<Option<(PollConsumer, Version)>, StoreError> {
        let _guard = hold_clock();
        self.store.poll_consumer(log, id).await
    }

    async fn poll_consumers(&self, log: LogKey) -> Result<Vec<PollConsumer>, StoreError> {
        let _guard = hold_clock();
        self.store.poll_consumers(log).await
    }

    async fn save_poll_consumer(
        &self,
        log: LogKey,
        saved: SavedConsumer,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.save_poll_consumer(log, saved).await
    }

    async fn remove_poll_consumer(&self, log: LogKey, id: &str) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.remove_poll_consumer(log, id).await
    }
}

#[async_trait]
impl Rejections for FrozenClockStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.reject(rejections).await
    }

    async fn rejections_of(
        &self,
        organization: &OrganizationId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        let _guard = hold_clock();
        self.store.rejections_of(organization, scan).await
    }

    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        let _guard = hold_clock();
        self.store.rejections(source, scan).await
    }
}

#[async_trait]
impl Statistics for FrozenClockStore {
    async fn count(&self, counted: Vec<Counted>) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.count(counted).await
    }

    async fn rollups(
        &self,
        subjects: Vec<Subject>,
        period: Period,
    ) -> Result<Vec<(RollupKey, Counters)>, StoreError> {
        let _guard = hold_clock();
        self.store.rollups(subjects, period).await
    }

    async fn worst(
        &self,
        organization: OrganizationId,
        ranked: Ranked,
        period: Period,
        limit: usize,
    ) -> Result<Vec<(Subject, Counters)>, StoreError> {
        let _guard = hold_clock();
        self.store.worst(organization, ranked, period, limit).await
    }

    async fn maintain_statistics(
        &self,
        now: Timestamp,
        retention: StatisticsRetention,
    ) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.maintain_statistics(now, retention).await
    }
}

#[async_trait]
impl Overview for FrozenClockStore {
    async fn endpoints(
        &self,
        organization: OrganizationId,
        after: Option<EndpointPlace>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        let _guard = hold_clock();
        self.store.endpoints(organization, after, limit).await
    }

    async fn count_endpoints(
        &self,
        organization: OrganizationId,
    ) -> Result<EndpointCounts, StoreError> {
        let _guard = hold_clock();
        self.store.count_endpoints(organization).await
    }

    async fn endpoint_totals(&self) -> Result<EndpointTotals, StoreError> {
        let _guard = hold_clock();
        self.store.endpoint_totals().await
    }

    async fn queued(
        &self,
        endpoints: Vec<EndpointPlace>,
        at_most: u64,
    ) -> Result<Vec<Queued>, StoreError> {
        let _guard = hold_clock();
        self.store.queued(endpoints, at_most).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        let _guard = hold_clock();
        self.store.nodes().await
    }

    async fn space(&self) -> Result<Space, StoreError> {
        let _guard = hold_clock();
        self.store.space().await
    }

    async fn publish_lanes(&self, lanes: Vec<LaneState>) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.publish_lanes(lanes).await
    }

    async fn published_lanes(
        &self,
        endpoints: Vec<EndpointPlace>,
    ) -> Result<Vec<(u64, LaneState)>, StoreError> {
        let _guard = hold_clock();
        self.store.published_lanes(endpoints).await
    }
}

#[async_trait]
impl Maintenance for FrozenClockStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.expire(now, retention).await
    }

    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        let _guard = hold_clock();
        self.store.erase(now, limit).await
    }

    async fn rewrite(
        &self,
        position: RewritePosition,
        limit: usize,
        rewrite: Arc<dyn Rewrite>,
    ) -> Result<RewritePage, StoreError> {
        let _guard = hold_clock();
        self.store.rewrite(position, limit, rewrite).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.backup(to).await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        let _guard = hold_clock();
        self.store.size().await
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.check_writable().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        let _guard = hold_clock();
        self.store.close().await
    }
}

#[async_trait]
impl Cluster for FrozenClockStore {
    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// The clock of the tests is the engine's.
    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    fn node_lease(&self) -> NodeLease {
        NodeLease { valid_until: Timestamp::MAX, ..self.store.node_lease() }
    }

    async fn next_event(&self) -> StoreEvent {
        self.store.next_event().await
    }
}
