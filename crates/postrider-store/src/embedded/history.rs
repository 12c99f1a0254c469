//! The history contract: which thread does what for each method.

pub(super) mod attempts;
pub(super) mod deliveries;
mod expunge;
pub(super) mod label_check;
pub(super) mod messages;
pub(super) mod span;
mod statistics;
pub(super) mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId},
    message::Message,
    time::Timestamp,
};

use super::store::EmbeddedStore;
use crate::{
    contract::{
        catalog::IdOrUid,
        history::{
            AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, History,
            MessageFilter, Stats,
        },
    },
    error::StoreError,
    page::{Scan, ScanPage},
};

#[async_trait]
impl History for EmbeddedStore {
    async fn message(
        &self,
        application: ApplicationId,
        key: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        let key = key.clone();
        self.read(move |reader| messages::find(reader, application, &key)).await
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.search(move |reader| messages::list(reader, application, &filter, &scan)).await
    }

    async fn attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        self.read(move |reader| attempts::find(reader, message, id)).await
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.search(move |reader| attempts::list(reader, of, &filter, &scan)).await
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        self.search(move |reader| deliveries::list(reader, of, &filter, &scan)).await
    }

    async fn stats(
        &self,
        _application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        self.search(move |reader| statistics::stats(reader, endpoint, since, until)).await
    }

    async fn backlog(
        &self,
        _application: ApplicationId,
        endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        let all = endpoints.to_vec();
        match self.search(move |reader| statistics::backlog(reader, &all, at_most)).await {
            // Publishing must not depend on the index.
            Err(StoreError::Rebuilding(_)) => {
                let limit = at_most.min(u64::from(u32::MAX));
                let found = self.queued_without_index(endpoints.to_vec(), limit).await?;
                Ok(found.iter().map(|it| it.pending).sum::<u64>().min(at_most))
            },
            result => result,
        }
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.read(|reader| messages::last_sequence(reader)).await
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
        self.commit(move |ledger| ledger.expunge_attempt(message, id)).await
    }
}
