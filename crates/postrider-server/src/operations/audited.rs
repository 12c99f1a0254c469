//! The store as operations use it: what they change is recorded in the audit log, in the same
//! transaction.

use std::{fmt::Display, net::IpAddr, ops::Deref, sync::Arc};

use postrider::{
    ApplicationId, AttemptId, EndpointId, MessageId, OrganizationId, api::AuditChange,
};
use postrider_core::{
    audit::{self, AuditEntry, AuditedRecord},
    delivery::{DeliveryId, ResendMode},
    time::Timestamp,
};
use postrider_engine::Engine;
use postrider_store::{
    BatchedChange, BoxError, Change, Changed, Expected, IdOrUid, Record, RecordRow, Records, Store,
    StoreError, Version,
};
use serde_json::{Value, json};

use crate::auth::Principal;

/// Where a change comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The id of the operation.
    pub(crate) operation: &'static str,
    /// The address of the client; none if the call did not come over the network.
    pub(crate) address: Option<IpAddr>,
}

/// The store on behalf of a principal. Its own methods change something and record it; all others
/// are those of [`Store`], and must only read.
#[derive(Debug)]
pub(crate) struct AuditedStore {
    engine: Engine,
    principal: Arc<Principal>,
    origin: Origin,
}

impl Deref for AuditedStore {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.engine.store().as_ref()
    }
}

impl AuditedStore {
    pub(crate) fn new(engine: &Engine, principal: &Arc<Principal>, origin: Origin) -> Self {
        Self { engine: engine.clone(), principal: Arc::clone(principal), origin }
    }

    /// The same for another principal.
    pub(crate) fn on_behalf_of(&self, principal: &Arc<Principal>) -> Self {
        Self::new(&self.engine, principal, self.origin)
    }

    /// Saves the record; see [`Records::save`].
    pub(crate) async fn save<R: Record>(
        &self,
        record: &R,
        expected: Expected,
    ) -> Result<Version, StoreError> {
        // If another version is stored than expected, the record is not saved, and nothing is
        // recorded.
        let old = match expected {
            Expected::New => None,
            Expected::Version(_) | Expected::Any => {
                self.present::<R>(&record.parent(), record.id()).await?
            },
        };
        let changes = audit::changes(
            old.map(|it| json_of(&it)).transpose()?.as_ref(),
            Some(&json_of(record)?),
        );
        let entry = self.entry(audited(record), changes);
        self.save_audited(record, expected, entry).await
    }

    /// A save that is part of a batch, given the record as it was read before.
    pub(crate) fn batched_save<R: Record>(
        &self,
        old: Option<(&R, Version)>,
        new: &R,
    ) -> Result<BatchedChange, StoreError> {
        let before = old.map(|(record, _)| json_of(record)).transpose()?;
        let changes = audit::changes(before.as_ref(), Some(&json_of(new)?));
        let expected = old.map_or(Expected::New, |(_, version)| Expected::Version(version));
        let change = Change::SaveRecord(RecordRow::of(new)?, expected);
        Ok(BatchedChange { change, entry: Some(self.entry(audited(new), changes)) })
    }

    /// A removal that is part of a batch. The record is saved before, which fails if it does not
    /// have the version any more.
    pub(crate) fn batched_removal<R: Record>(
        &self,
        (old, version): (&R, Version),
    ) -> Result<[BatchedChange; 2], StoreError> {
        let changes = audit::changes(Some(&json_of(old)?), None);
        let check = Change::SaveRecord(RecordRow::of(old)?, Expected::Version(version));
        let change = Change::RemoveRecord(R::KIND, old.parent().into(), old.id().into());
        let entry = Some(self.entry(audited(old), changes));
        Ok([BatchedChange { change: check, entry: None }, BatchedChange { change, entry }])
    }

    /// Makes the changes of a batch in one transaction; see [`AuditLog::change_all`].
    ///
    /// [`AuditLog::change_all`]: postrider_store::AuditLog::change_all
    pub(crate) async fn commit(&self, batch: Vec<BatchedChange>) -> Result<(), StoreError> {
        self.change_all(batch).await.map(drop)
    }

    /// Removes the record; see [`Records::remove`].
    pub(crate) async fn remove<R: Record>(
        &self,
        parent: &R::Parent,
        id: &R::Id,
    ) -> Result<bool, StoreError> {
        let Some(old) = self.present::<R>(parent, id.clone()).await? else { return Ok(false) };
        let entry = self.entry(audited(&old), audit::changes(Some(&json_of(&old)?), None));
        self.remove_audited::<R>(parent, id, entry).await
    }

    /// Makes a delivery due; see [`Deliveries::resend`](postrider_store::Deliveries::resend).
    pub(crate) async fn resend(
        &self,
        application: ApplicationId,
        delivery: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> Result<bool, StoreError> {
        let record = of_application("message", delivery.message, application);
        let parameters = [("endpoint", json!(delivery.endpoint)), ("mode", json!(mode))];
        let change = Change::Resend { application, delivery, at, mode };
        Ok(self.make(change, record, parameters).await?.has_effect())
    }

    /// Changes when the first attempts of a message are made; see [`Change::Reschedule`].
    pub(crate) async fn reschedule(
        &self,
        application: ApplicationId,
        message: MessageId,
        deliver_at: Timestamp,
        body_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let record = of_application("message", message, application);
        let parameters = [("deliverAt", json!(deliver_at.to_rfc3339()))];
        let change = Change::Reschedule { application, message, deliver_at, body_until };
        Ok(self.make(change, record, parameters).await?.has_effect())
    }

    /// Cancels the pending deliveries of a message; see [`Change::CancelMessage`].
    pub(crate) async fn cancel_message(
        &self,
        application: ApplicationId,
        message: MessageId,
    ) -> Result<bool, StoreError> {
        let record = of_application("message", message, application);
        let change = Change::CancelMessage(application, message);
        Ok(self.make(change, record, []).await?.has_effect())
    }

    /// Cancels the first pending deliveries of an endpoint; see [`Change::Skip`].
    pub(crate) async fn skip(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        until: Option<MessageId>,
    ) -> Result<bool, StoreError> {
        let record = of_application("endpoint", endpoint, application);
        let parameters = until.map(|until| ("until", json!(until)));
        let change = Change::Skip { application, endpoint, until };
        Ok(self.make(change, record, parameters).await?.has_effect())
    }

    /// Makes due what waits for an endpoint; see [`Change::RetryNow`].
    pub(crate) async fn retry_now(
        &self,
        application: ApplicationId,
        endpoint: EndpointId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let record = of_application("endpoint", endpoint, application);
        let change = Change::RetryNow { application, endpoint, at };
        Ok(self.make(change, record, []).await?.has_effect())
    }

    /// Removes the body of a message; see
    /// [`History::expunge_message`](postrider_store::History::expunge_message).
    pub(crate) async fn expunge_message(
        &self,
        application: ApplicationId,
        id: MessageId,
    ) -> Result<bool, StoreError> {
        let record = of_application("message", id, application);
        let change = Change::ExpungeMessage(application, id);
        Ok(self.make(change, record, []).await?.has_effect())
    }

    /// Removes the response of an attempt; see
    /// [`History::expunge_attempt`](postrider_store::History::expunge_attempt).
    pub(crate) async fn expunge_attempt(
        &self,
        application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        let record = of_application("attempt", id, application);
        let change = Change::ExpungeAttempt(application, message, id);
        let parameters = [("message", json!(message))];
        Ok(self.make(change, record, parameters).await?.has_effect())
    }

    /// Records something that changes nothing in the store, such as the creation of a token, with
    /// what was asked for.
    pub(crate) async fn record(
        &self,
        record: AuditedRecord,
        parameters: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Result<(), StoreError> {
        self.make(Change::Elsewhere, record, parameters).await.map(drop)
    }

    /// Makes a change that is not a record's, and records what was asked for.
    pub(crate) async fn make(
        &self,
        change: Change,
        record: AuditedRecord,
        parameters: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Result<Changed, StoreError> {
        let entry = self.entry(record, audit::parameters(parameters));
        self.change(change, entry).await
    }

    /// The record as it is stored now.
    async fn present<R: Record>(
        &self,
        parent: &R::Parent,
        id: R::Id,
    ) -> Result<Option<R>, StoreError> {
        self.get::<R>(parent, &IdOrUid::Id(id)).await
    }

    fn entry(&self, record: AuditedRecord, changes: Vec<AuditChange>) -> AuditEntry {
        AuditEntry {
            id: self.engine.clock().audit_id(),
            organization: self.principal.organization().clone(),
            actor: self.principal.actor.clone(),
            address: self.origin.address,
            operation: self.origin.operation.to_owned(),
            record,
            changes,
        }
    }
}

/// A record that belongs to an application, as the audit log names it.
pub(crate) fn of_application(
    kind: &str,
    id: impl Display,
    application: ApplicationId,
) -> AuditedRecord {
    let (kind, id) = (kind.to_owned(), id.to_string());
    AuditedRecord { kind, id, application: Some(application) }
}

/// An organization, as the audit log names it.
pub(crate) fn of_organization(organization: &OrganizationId) -> AuditedRecord {
    let (kind, id) = ("organization".to_owned(), organization.to_string());
    AuditedRecord { kind, id, application: None }
}

fn audited<R: Record>(record: &R) -> AuditedRecord {
    AuditedRecord {
        kind: R::KIND.name().to_owned(),
        id: record.id().to_string(),
        application: record.application(),
    }
}

fn json_of<R: Record>(record: &R) -> Result<Value, StoreError> {
    let corrupt =
        |error| StoreError::Corrupt { what: R::KIND.name(), source: BoxError::from(error) };
    serde_json::to_value(record).map_err(corrupt)
}
