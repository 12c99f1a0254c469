//! Answers to readers, by looking at everything.

use std::sync::Arc;

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Attempt, DeliveryId, Status},
    message::Message,
    time::Timestamp,
};

use super::{
    State,
    deliveries::{Duty, Standing},
};
use crate::{
    AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, IdOrUid, MessageFilter,
    Scan, ScanPage, Stats, StatusKind, Weight, weight,
};

/// Walks over items that come in ascending order of their keys.
pub(super) fn walk<K: Ord + Clone, T: Weight>(
    items: impl Iterator<Item = (K, T)>,
    scan: &Scan<K>,
) -> ScanPage<T, K> {
    let mut items: Vec<_> = items
        .filter(|(key, _)| match &scan.after {
            None => true,
            Some(after) if scan.ascending => key > after,
            Some(after) => key < after,
        })
        .collect();
    if !scan.ascending {
        items.reverse();
    }
    let limit = scan.limit.min(weight::fitting(items.iter().map(|(_, item)| item)));
    let more = items.len() > limit;
    items.truncate(limit);
    let resume = items.last().filter(|_| more).map(|(key, _)| key.clone());
    ScanPage { items: items.into_iter().map(|(_, item)| item).collect(), resume }
}

impl State {
    pub(super) fn message(
        &self,
        application: ApplicationId,
        named: &IdOrUid<MessageId>,
    ) -> Option<Message> {
        let id = match named {
            IdOrUid::Id(id) => id,
            IdOrUid::Uid(uid) => self.event_ids.get(&(application, uid.clone()))?,
        };
        let message = self.messages.get(id).filter(|it| it.application == application);
        message.map(|it| Message::clone(it))
    }

    pub(super) fn list_messages(
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
        walk(all.map(|it| (it.id, Message::clone(&filter.show(it)))), scan)
    }

    pub(super) fn list_attempts(
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
        walk(found, scan)
    }

    pub(super) fn list_deliveries(
        &self,
        of: DeliveriesOf,
        filter: &DeliveryFilter,
        scan: &Scan<DeliveryId>,
    ) -> ScanPage<DeliveryRow, DeliveryId> {
        let found = self.deliveries.values().filter_map(|duty| {
            let id = duty.delivery.id;
            let of_it = match of {
                DeliveriesOf::Endpoint(application, endpoint) => {
                    duty.delivery.application == application && id.endpoint == endpoint
                },
                DeliveriesOf::Message(application, message) => {
                    duty.delivery.application == application && id.message == message
                },
            };
            let message = self.messages.get(&id.message)?;
            let wanted = of_it
                && filter.admits(status(duty))
                && filter.message.spans(id.message.millis())
                && filter.message.concerns(message);
            wanted.then(|| (id, row(duty, filter.message.show(message))))
        });
        walk(found, scan)
    }

    pub(super) fn stats(&self, endpoint: EndpointId, since: Timestamp, until: Timestamp) -> Stats {
        let mut stats = Stats::default();
        let of_it = |id: DeliveryId| {
            let accepted_at = Timestamp::from_millis(id.message.millis());
            id.endpoint == endpoint && (since..until).contains(&accepted_at)
        };
        for duty in self.deliveries.values().filter(|it| of_it(it.delivery.id)) {
            match StatusKind::from(status(duty)) {
                StatusKind::Delivered => stats.delivered += 1,
                StatusKind::Pending => stats.pending += 1,
                StatusKind::Sending => stats.sending += 1,
                StatusKind::Failed => stats.failed += 1,
                StatusKind::Cancelled => stats.cancelled += 1,
            }
        }
        stats
    }
}

fn row(duty: &Duty, message: Arc<Message>) -> DeliveryRow {
    DeliveryRow { id: duty.delivery.id, message, status: status(duty), attempts: duty.attempts }
}

const fn status(duty: &Duty) -> Status {
    match duty.standing {
        Standing::Waiting(due_at) | Standing::Leased { due_at, .. } => {
            Status::open(duty.attempts, due_at)
        },
        Standing::Delivered => Status::Delivered,
        Standing::Failed => Status::Failed,
        Standing::Cancelled => Status::Cancelled,
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
