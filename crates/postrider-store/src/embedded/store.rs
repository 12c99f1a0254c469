//! The store's methods: which thread does what for each of them.

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

use super::{EmbeddedStore, erasing, reading, records, sources};
use crate::{
    AppendOutcome, AttemptFilter, AttemptsOf, Catalog, Claim, ClaimedBatch, Cluster, Deliveries,
    DeliveriesOf, DeliveryFilter, DeliveryRow, History, IdOrUid, Idempotency, Key, KeyReservation,
    Maintenance, MessageFilter, NewMessage, Record, Rejections, Retention, Rewrite, Scan, ScanPage,
    Scope, SettleBatch, Stats, StoreError, StoreSize,
};

#[async_trait]
impl Deliveries for EmbeddedStore {
    async fn append(&self, batch: Vec<NewMessage>) -> Result<Vec<AppendOutcome>, StoreError> {
        let append = move |ledger: &mut super::ledger::Ledger| {
            ledger.require_room()?;
            ledger.append(&batch)
        };
        self.commit(append).await
    }

    /// The commit thread leases, a reading thread fetches the messages.
    async fn claim(&self, claim: Claim) -> Result<ClaimedBatch, StoreError> {
        let leased = self.commit(move |ledger| ledger.claim(&claim)).await?;
        if leased.deliveries.is_empty() {
            return Ok(ClaimedBatch { deliveries: Vec::new(), next_due: leased.next_due });
        }
        let keys: Vec<_> =
            leased.deliveries.iter().map(|(taken, it)| (taken.number, *it)).collect();
        match self.read(move |reader| reading::fetch(reader, leased)).await {
            Ok((claimed, bodiless)) if bodiless.is_empty() => Ok(claimed),
            Ok((claimed, bodiless)) => {
                self.commit(move |ledger| ledger.end_bodiless(&bodiless)).await?;
                Ok(claimed)
            },
            Err(error) => {
                self.commit(move |ledger| ledger.give_back(&keys)).await?;
                Err(error)
            },
        }
    }

    async fn settle(&self, batch: Arc<SettleBatch>) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.settle(&batch)).await
    }

    async fn release(&self, deliveries: Vec<(Delivery, Timestamp)>) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.release(&deliveries)).await
    }

    async fn resend(
        &self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let when = (mode, at.as_millis());
        self.commit(move |ledger| ledger.resend(application, id, when)).await
    }

    async fn begin_recovery(&self, recovery: Recovery) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.begin_recovery(&recovery)).await
    }

    /// The index knows what failed or was cancelled, the commit thread makes it due.
    async fn recover(&self, now: Timestamp, limit: usize) -> Result<Option<usize>, StoreError> {
        let begun = self.commit(super::ledger::Ledger::oldest_recovery).await?;
        let Some(begun) = begun else { return Ok(None) };
        let wanted = begun.clone();
        let failed = self.search(move |reader| reading::failed(reader, &wanted, limit)).await?;
        let whole = failed.len() < limit;
        let now = now.as_millis();
        self.commit(move |ledger| ledger.advance_recovery(&begun, &failed, whole, now))
            .await
            .map(Some)
    }

    async fn cancel(&self, scope: Scope) -> Result<u64, StoreError> {
        self.commit(move |ledger| ledger.cancel(scope)).await
    }
}

#[async_trait]
impl Catalog for EmbeddedStore {
    async fn save(&self, record: Record, create: bool) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.save(&record, create)).await
    }

    async fn remove(&self, key: Key) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.remove(&key)).await
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<ApplicationId>,
    ) -> Result<Option<Application>, StoreError> {
        let (organization, named) = (organization.clone(), named.clone());
        self.read(move |it| Ok(records::application(&it.truth, &organization, &named)?)).await
    }

    async fn application_by_id(
        &self,
        id: ApplicationId,
    ) -> Result<Option<Application>, StoreError> {
        self.read(move |it| Ok(records::application_by_id(&it.truth, id)?)).await
    }

    async fn applications(
        &self,
        organization: &OrganizationId,
        scan: Scan<ApplicationId>,
    ) -> Result<ScanPage<Application, ApplicationId>, StoreError> {
        let organization = organization.clone();
        self.read(move |it| Ok(records::applications(&it.truth, &organization, &scan)?)).await
    }

    async fn endpoint(
        &self,
        application: ApplicationId,
        named: &IdOrUid<EndpointId>,
    ) -> Result<Option<Endpoint>, StoreError> {
        let named = named.clone();
        self.read(move |it| Ok(records::endpoint(&it.truth, application, &named)?)).await
    }

    async fn endpoints(
        &self,
        application: ApplicationId,
        scan: Scan<EndpointId>,
    ) -> Result<ScanPage<Endpoint, EndpointId>, StoreError> {
        self.read(move |it| Ok(records::endpoints(&it.truth, application, &scan)?)).await
    }

    async fn failing(
        &self,
        application: ApplicationId,
    ) -> Result<Vec<(EndpointId, Timestamp)>, StoreError> {
        self.read(move |it| Ok(records::failing(&it.truth, application)?)).await
    }

    async fn event_type(
        &self,
        organization: &OrganizationId,
        name: &EventTypeName,
    ) -> Result<Option<EventType>, StoreError> {
        let (organization, name) = (organization.clone(), name.clone());
        self.read(move |it| Ok(records::event_type(&it.truth, &organization, &name)?)).await
    }

    async fn event_types(
        &self,
        organization: &OrganizationId,
        archived: bool,
        scan: Scan<EventTypeName>,
    ) -> Result<ScanPage<EventType, EventTypeName>, StoreError> {
        let organization = organization.clone();
        let list = move |it: &mut super::read::Reader| {
            Ok(records::event_types(&it.truth, &organization, archived, &scan)?)
        };
        self.read(list).await
    }

    async fn source(
        &self,
        organization: &OrganizationId,
        named: &IdOrUid<SourceId>,
    ) -> Result<Option<Source>, StoreError> {
        let (organization, named) = (organization.clone(), named.clone());
        self.read(move |it| Ok(sources::source(&it.truth, &organization, &named)?)).await
    }

    async fn source_by_token(&self, digest: [u8; 32]) -> Result<Option<Source>, StoreError> {
        self.read(move |it| Ok(sources::source_by_token(&it.truth, digest)?)).await
    }

    async fn sources(
        &self,
        organization: &OrganizationId,
        scan: Scan<SourceId>,
    ) -> Result<ScanPage<Source, SourceId>, StoreError> {
        let organization = organization.clone();
        self.read(move |it| Ok(sources::sources(&it.truth, &organization, &scan)?)).await
    }
}

#[async_trait]
impl History for EmbeddedStore {
    async fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        let named = named.clone();
        self.read(move |reader| reading::message(reader, application, &named)).await
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.search(move |reader| reading::messages(reader, application, &filter, &scan)).await
    }

    async fn attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        self.read(move |reader| reading::attempt(reader, message, id)).await
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.search(move |reader| reading::attempts(reader, of, &filter, &scan)).await
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        self.search(move |reader| reading::deliveries(reader, of, &filter, &scan)).await
    }

    async fn stats(
        &self,
        _application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        self.search(move |reader| reading::stats(reader, endpoint, since, until)).await
    }

    async fn backlog(
        &self,
        _application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        let endpoints = endpoints.to_vec();
        self.search(move |reader| reading::backlog(reader, &endpoints, at_most)).await
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.read(reading::last_sequence).await
    }

    async fn expunge_message(
        &self,
        _application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.expunge_message(id)).await
    }

    async fn expunge_attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.expunge_attempt(message.sequence(), id)).await
    }
}

#[async_trait]
impl Idempotency for EmbeddedStore {
    async fn reserve_key(
        &self,
        key: [u8; 32],
        fingerprint: [u8; 32],
        _now: Timestamp,
    ) -> Result<KeyReservation, StoreError> {
        self.commit(move |ledger| ledger.reserve(key, fingerprint)).await
    }

    async fn complete_key(
        &self,
        key: [u8; 32],
        response: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.commit(move |ledger| ledger.answer(key, response.as_deref(), now)).await
    }
}

#[async_trait]
impl Rejections for EmbeddedStore {
    async fn reject(&self, rejections: Vec<Rejection>) -> Result<(), StoreError> {
        let reject = move |ledger: &mut super::ledger::Ledger| {
            ledger.require_room()?;
            ledger.reject(&rejections)
        };
        self.commit(reject).await
    }

    /// Bodies and all, a page of them is megabytes: not for those who fetch.
    async fn rejections(
        &self,
        source: SourceId,
        scan: Scan<RejectionId>,
    ) -> Result<ScanPage<Rejection, RejectionId>, StoreError> {
        self.search(move |it| Ok(sources::rejections(&it.truth, source, &scan)?)).await
    }
}

#[async_trait]
impl Maintenance for EmbeddedStore {
    async fn expire(&self, now: Timestamp, retention: Retention) -> Result<bool, StoreError> {
        self.commit(move |ledger| ledger.expire(now, retention)).await
    }

    /// The index knows what is left, the commit thread takes it away.
    async fn erase(&self, now: Timestamp, limit: usize) -> Result<bool, StoreError> {
        let now = now.as_millis();
        let due = self.commit(move |ledger| ledger.next_erasures(now)).await?;
        if due.is_empty() {
            return self.take_back(limit).await;
        }
        let as_of = self.rooms()?.doors().commits.position();
        let found = self.search(move |reader| erasing::remains_of(reader, due, limit)).await?;
        let erase = move |ledger: &mut super::ledger::Ledger| {
            let mut all = found.iter();
            all.try_for_each(|(erasure, found)| ledger.erase(*erasure, found, (now, as_of)))
        };
        self.commit(erase).await?;
        Ok(true)
    }

    async fn rewrite(&self, rewrite: Arc<dyn Rewrite>) -> Result<u64, StoreError> {
        let count = self.commit(move |ledger| ledger.rewrite(&*rewrite)).await?;
        if count > 0 {
            self.rooms()?.cut_log().await?;
        }
        Ok(count)
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.rooms()?.backup(to.to_owned()).await
    }

    async fn size(&self) -> Result<StoreSize, StoreError> {
        let (waiting, oldest) = self.commit(|ledger| Ok(ledger.waiting_now())).await?;
        Ok(StoreSize {
            waiting,
            oldest_due: oldest.map(Timestamp::from_millis),
            bytes: self.rooms()?.folder.bytes().map_err(StoreError::Unavailable)?,
        })
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        self.commit(super::ledger::Ledger::check_writable).await
    }

    async fn failed(&self) {
        self.ended.cancelled().await;
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shut();
        Ok(())
    }
}

impl Cluster for EmbeddedStore {}

impl EmbeddedStore {
    /// Takes back numbers of removed endpoints that nothing refers to; `true` if there were any.
    async fn take_back(&self, limit: usize) -> Result<bool, StoreError> {
        let retired = self.commit(move |ledger| ledger.next_retired(limit)).await?;
        if retired.is_empty() {
            return Ok(false);
        }
        let as_of = self.rooms()?.doors().commits.position();
        let unused = self.search(move |reader| erasing::unused(reader, retired)).await?;
        let found = !unused.is_empty();
        if found {
            self.commit(move |ledger| ledger.take_back(&unused, as_of)).await?;
        }
        Ok(found)
    }
}
