//! Messages, attempts and deliveries, found by scanning everything.

use std::sync::Arc;

use async_trait::async_trait;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status, StatusKind},
    message::Message,
    time::Timestamp,
};

use super::{
    MemoryStore,
    state::{DeliveryState, State, StoredDelivery},
};
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
impl History for MemoryStore {
    async fn message(
        &self,
        application: ApplicationId,
        key: &IdOrUid<MessageId>,
    ) -> Result<Option<Message>, StoreError> {
        self.transact(|state| Ok(state.message(application, key)))
    }

    async fn messages(
        &self,
        application: ApplicationId,
        filter: MessageFilter,
        scan: Scan<MessageId>,
    ) -> Result<ScanPage<Message, MessageId>, StoreError> {
        self.transact(|state| Ok(state.list_messages(application, &filter, &scan)))
    }

    async fn attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<Option<Attempt>, StoreError> {
        self.transact(|state| {
            Ok(state.attempts.get(&id).filter(|it| it.delivery.message == message).cloned())
        })
    }

    async fn attempts(
        &self,
        of: AttemptsOf,
        filter: AttemptFilter,
        scan: Scan<AttemptId>,
    ) -> Result<ScanPage<(Attempt, Arc<Message>), AttemptId>, StoreError> {
        self.transact(|state| Ok(state.list_attempts(of, &filter, &scan)))
    }

    async fn deliveries(
        &self,
        of: DeliveriesOf,
        filter: DeliveryFilter,
        scan: Scan<DeliveryId>,
    ) -> Result<ScanPage<DeliveryRow, DeliveryId>, StoreError> {
        self.transact(|state| Ok(state.list_deliveries(of, &filter, &scan)))
    }

    async fn stats(
        &self,
        _application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Stats, StoreError> {
        self.transact(|state| Ok(state.stats(endpoint, since, until)))
    }

    async fn backlog(
        &self,
        application: ApplicationId,
        _endpoints: &[EndpointId],
        at_most: u64,
    ) -> Result<u64, StoreError> {
        self.transact(|state| Ok(state.backlog(application).min(at_most)))
    }

    async fn last_sequence(&self) -> Result<u64, StoreError> {
        self.transact(|state| {
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
        self.transact(|state| Ok(state.expunge(id)))
    }

    async fn expunge_attempt(
        &self,
        _application: ApplicationId,
        message: MessageId,
        id: AttemptId,
    ) -> Result<bool, StoreError> {
        self.transact(|state| Ok(state.expunge_attempt(message, id)))
    }
}

impl State {
    fn message(&self, application: ApplicationId, key: &IdOrUid<MessageId>) -> Option<Message> {
        let id = match key {
            IdOrUid::Id(id) => id,
            IdOrUid::Uid(uid) => self.event_ids.get(&(application, uid.clone()))?,
        };
        let message = self.messages.get(id).filter(|it| it.application == application);
        message.map(|it| Message::clone(it))
    }

    fn list_messages(
        &self,
        application: ApplicationId,
        filter: &MessageFilter,
        scan: &Scan<MessageId>,
    ) -> ScanPage<Message, MessageId> {
        let all = self
            .messages
            .values()
            .filter(|it| it.application == application)
            .filter(|it| filter.spans(it.id.millis()) && filter.concerns(it));
        ScanPage::of(all.map(|it| (it.id, Message::clone(&filter.show(it)))), scan)
    }

    fn list_attempts(
        &self,
        of: AttemptsOf,
        filter: &AttemptFilter,
        scan: &Scan<AttemptId>,
    ) -> ScanPage<(Attempt, Arc<Message>), AttemptId> {
        let found = self.attempts.values().filter_map(|attempt| {
            let message = self.messages.get(&attempt.delivery.message)?;
            let wanted = belongs(of, attempt, message)
                && filter.passes(attempt)
                && filter.message.concerns(message);
            wanted.then(|| (attempt.id, (attempt.clone(), filter.message.show(message))))
        });
        ScanPage::of(found, scan)
    }

    fn list_deliveries(
        &self,
        of: DeliveriesOf,
        filter: &DeliveryFilter,
        scan: &Scan<DeliveryId>,
    ) -> ScanPage<DeliveryRow, DeliveryId> {
        let found = self.deliveries.values().filter_map(|delivery| {
            let id = delivery.delivery.id;
            let of_it = match of {
                DeliveriesOf::Endpoint(application, endpoint) => {
                    delivery.delivery.application == application && id.endpoint == endpoint
                },
                DeliveriesOf::Message(application, message) => {
                    delivery.delivery.application == application && id.message == message
                },
            };
            let message = self.messages.get(&id.message)?;
            let wanted = of_it
                && filter.admits(status(delivery))
                && filter.message.spans(id.message.millis())
                && filter.message.concerns(message);
            wanted.then(|| (id, row(delivery, filter.message.show(message))))
        });
        ScanPage::of(found, scan)
    }

    fn stats(&self, endpoint: EndpointId, since: Timestamp, until: Timestamp) -> Stats {
        let mut stats = Stats::default();
        let of_it = |id: DeliveryId| {
            let accepted_at = Timestamp::from_millis(id.message.millis());
            id.endpoint == endpoint && (since..until).contains(&accepted_at)
        };
        for delivery in self.deliveries.values().filter(|it| of_it(it.delivery.id)) {
            match StatusKind::from(status(delivery)) {
                StatusKind::Delivered => stats.delivered += 1,
                StatusKind::Pending => stats.pending += 1,
                StatusKind::Sending => stats.sending += 1,
                StatusKind::Failed => stats.failed += 1,
                StatusKind::Cancelled => stats.cancelled += 1,
            }
        }
        stats
    }

    fn backlog(&self, application: ApplicationId) -> u64 {
        let is_one =
            |it: &&StoredDelivery| it.delivery.application == application && it.state.is_pending();
        self.deliveries.values().filter(is_one).count() as u64
    }
}

fn row(delivery: &StoredDelivery, message: Arc<Message>) -> DeliveryRow {
    DeliveryRow {
        id: delivery.delivery.id,
        message,
        status: status(delivery),
        attempts: delivery.attempts,
    }
}

pub(super) const fn status(delivery: &StoredDelivery) -> Status {
    match delivery.state {
        DeliveryState::Waiting(due_at) | DeliveryState::Leased { due_at, .. } => {
            Status::open(delivery.attempts, due_at)
        },
        DeliveryState::Delivered => Status::Delivered,
        DeliveryState::Failed => Status::Failed,
        DeliveryState::Cancelled => Status::Cancelled,
    }
}

fn belongs(of: AttemptsOf, attempt: &Attempt, message: &Message) -> bool {
    let id = attempt.delivery;
    match of {
        AttemptsOf::Endpoint(application, endpoint) => {
            message.application == application && id.endpoint == endpoint
        },
        AttemptsOf::Message(application, of, endpoint) => {
            message.application == application
                && id.message == of
                && endpoint.is_none_or(|endpoint| id.endpoint == endpoint)
        },
    }
}
