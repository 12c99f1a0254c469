//! Cancelling deliveries, and retrying those that wait.

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};

use crate::{
    contract::{audit::RETRIED_AT_ONCE, deliveries::Scope},
    memory::state::{DeliveryState, State, StoredDelivery},
};

impl State {
    pub(in crate::memory) fn cancel(&mut self, scope: Scope) -> u64 {
        self.cancel_where(|delivery| match scope {
            Scope::Application(id) => delivery.delivery.application == id,
            Scope::Endpoint(_, id) => delivery.delivery.id.endpoint == id,
            Scope::Message(_, id) => delivery.delivery.id.message == id,
        })
    }

    pub(in crate::memory) fn skip(
        &mut self,
        application: ApplicationId,
        endpoint: EndpointId,
        until: Option<MessageId>,
    ) -> u64 {
        let first = || {
            let all = self.order.range((endpoint, MessageId::from_u128(0))..);
            all.take_while(|(it, _)| *it == endpoint).map(|(_, message)| *message).next()
        };
        let Some(message) = until.or_else(first) else { return 0 };
        let last = self.deliveries.get(&DeliveryId { endpoint, message });
        let Some(last) = last.filter(|it| it.state.is_pending()).copied() else { return 0 };
        self.cancel_where(|it| {
            let Delivery { id, application: owner, .. } = it.delivery;
            let is_before = last.in_order && it.in_order && id.message < message;
            let is_skipped = id.message == message || is_before;
            owner == application && id.endpoint == endpoint && is_skipped
        })
    }

    pub(in crate::memory) fn retry_now(
        &mut self,
        application: ApplicationId,
        endpoint: EndpointId,
        at: Timestamp,
    ) -> bool {
        let of_endpoint = self.deliveries.values().filter(|it| {
            it.delivery.id.endpoint == endpoint && it.delivery.application == application
        });
        let later = of_endpoint.filter(|it| it.state.waits_until().is_some_and(|due| due > at));
        let (ordered, mut others): (Vec<_>, Vec<_>) = later.copied().partition(|it| it.in_order);
        others.sort_by_key(|it| it.state.due_at());
        let limit = RETRIED_AT_ONCE as usize;
        let retried: Vec<_> =
            ordered.into_iter().take(limit).chain(others.into_iter().take(limit)).collect();
        for delivery in &retried {
            self.put(StoredDelivery { state: DeliveryState::Waiting(at), ..*delivery });
        }
        !retried.is_empty()
    }
}
