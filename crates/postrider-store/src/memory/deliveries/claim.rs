//! Claiming due deliveries.

use std::collections::{BTreeMap, HashMap};

use postrider::{EndpointId, MessageId};
use postrider_core::{delivery::DeliveryId, time::Timestamp};

use crate::{
    contract::{
        catalog::RecordKind,
        deliveries::{Claim, ClaimedBatch},
    },
    memory::state::{DeliveryState, State, StoredDelivery},
};

impl State {
    pub(in crate::memory) fn claim(&mut self, claim: &Claim) -> ClaimedBatch {
        self.end_leases(claim.now);
        let mut claimed = ClaimedBatch::default();
        let mut left = HashMap::new();
        for (first_due, endpoint) in self.lanes(claim) {
            let most = capacity(claim, endpoint).min(claim.limit - claimed.deliveries.len());
            let taken = if first_due > claim.now || most == 0 {
                0
            } else if self.record(RecordKind::Endpoint, endpoint.as_u128()).is_none() {
                self.cancel_where(|delivery| delivery.delivery.id.endpoint == endpoint);
                0
            } else {
                self.lease(claim, endpoint, most, &mut claimed)
            };
            left.insert(endpoint, capacity(claim, endpoint) - taken);
        }
        let waiting = self
            .lanes(claim)
            .into_iter()
            .filter(|(_, endpoint)| left.get(endpoint).is_none_or(|&left| left > 0))
            .map(|(due_at, _)| due_at)
            .min();
        let lease_end = self.leases.first().map(|&(until, _)| until);
        claimed.next_due = [waiting, lease_end].into_iter().flatten().min();
        claimed
    }

    /// The endpoints of the shard that have capacity, and when the first delivery of each falls
    /// due; the endpoint that has waited longest comes first.
    fn lanes(&self, claim: &Claim) -> Vec<(Timestamp, EndpointId)> {
        let asked = |delivery: &&StoredDelivery| {
            capacity(claim, delivery.delivery.id.endpoint) > 0
                && claim.shard.holds(delivery.delivery.application)
        };
        let mut lanes = BTreeMap::new();
        for (due_at, delivery) in self.offered().filter(|(_, delivery)| asked(delivery)) {
            let first: &mut Timestamp =
                lanes.entry(delivery.delivery.id.endpoint).or_insert(due_at);
            *first = due_at.min(*first);
        }
        let mut lanes: Vec<_> = lanes.into_iter().map(|(endpoint, at)| (at, endpoint)).collect();
        lanes.sort_unstable();
        lanes
    }

    /// Leases up to `capacity` due deliveries of the endpoint, and returns their number.
    fn lease(
        &mut self,
        claim: &Claim,
        endpoint: EndpointId,
        capacity: usize,
        into: &mut ClaimedBatch,
    ) -> usize {
        let first = (endpoint, Timestamp::default(), MessageId::from_u128(0));
        let last = (endpoint, claim.now, MessageId::from_u128(u128::MAX));
        let any = self.waiting.range(first..=last).map(|&(_, due_at, message)| (due_at, message));
        let due: Vec<_> = any.chain(self.prefix(endpoint, claim.now)).collect();
        let mut taken = 0;
        for (due_at, message) in due {
            if taken == capacity {
                break;
            }
            let mut delivery = self.deliveries[&DeliveryId { endpoint, message }];
            let message = self.messages.get(&message).filter(|it| it.body.is_some()).cloned();
            let Some(message) = message else {
                delivery.state = DeliveryState::Cancelled;
                self.put(delivery);
                continue;
            };
            delivery.state = DeliveryState::Leased { due_at, until: claim.lease_until };
            self.put(delivery);
            into.deliveries.push((delivery.delivery, message));
            taken += 1;
        }
        taken
    }

    /// The first deliveries of the endpoint's order, up to one that is leased or not due.
    fn prefix(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, MessageId)> {
        let all = MessageId::from_u128(0)..=MessageId::from_u128(u128::MAX);
        let order = self.order.range((endpoint, *all.start())..=(endpoint, *all.end()));
        order.map_while(move |&(endpoint, message)| {
            let state = self.deliveries[&DeliveryId { endpoint, message }].state;
            let due_at = state.waits_until().filter(|it| *it <= now)?;
            Some((due_at, message))
        })
    }

    fn end_leases(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.leases.first() {
            if until > now {
                return;
            }
            self.free(id);
        }
    }
}

fn capacity(claim: &Claim, endpoint: EndpointId) -> usize {
    claim.capacities.get(&endpoint).copied().unwrap_or(claim.per_endpoint)
}
