//! The state of the store in memory, and the changes that several contracts need.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use postrider::{
    ApplicationId, AttemptId, AuditId, EndpointId, MessageId, OrganizationId, RejectionId,
    SourceId, Uid,
};
use postrider_core::{
    audit::AuditEntry,
    catalog::Recovery,
    delivery::{Attempt, Delivery, DeliveryId},
    message::{Message, Rejection},
    statistics::Rollups,
    time::Timestamp,
};

use super::{log::Log, node::Nodes};
use crate::contract::{
    catalog::{RecordId, RecordKind, RecordRow, Version},
    sign_ins::SignIn,
};

/// The key of a record: event types are named within their organization, all other ids are unique.
pub(super) type RecordKey = (RecordKind, Option<OrganizationId>, RecordId);

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) nodes: Nodes,
    pub(super) messages: BTreeMap<MessageId, Arc<Message>>,
    pub(super) event_ids: HashMap<(ApplicationId, Uid), MessageId>,
    /// Messages by the digest of their idempotency key.
    pub(super) digests: HashMap<[u8; 32], MessageId>,
    pub(super) deliveries: BTreeMap<DeliveryId, StoredDelivery>,
    /// Free deliveries without a position in an order, as claims take them.
    pub(super) waiting: BTreeSet<(EndpointId, Timestamp, MessageId)>,
    /// Pending deliveries with a position in an order, leased or not.
    pub(super) order: BTreeSet<(EndpointId, MessageId)>,
    /// Leased deliveries by the end of their lease.
    pub(super) leases: BTreeSet<(Timestamp, DeliveryId)>,
    pub(super) attempts: BTreeMap<AttemptId, Attempt>,
    /// Recoveries, each with the last message that it has handled.
    pub(super) recoveries: VecDeque<(Recovery, MessageId)>,
    pub(super) records: BTreeMap<RecordKey, (Version, RecordRow)>,
    pub(super) failing: BTreeMap<EndpointId, Timestamp>,
    pub(super) rejections: BTreeMap<(SourceId, RejectionId), Rejection>,
    pub(super) audit_log: BTreeMap<AuditId, AuditEntry>,
    pub(super) reservations: HashMap<[u8; 32], ReservedKey>,
    pub(super) sign_ins: HashMap<[u8; 32], SignIn>,
    /// Removed applications, and when the rest of their data is erased.
    pub(super) erasures: BTreeMap<ApplicationId, Timestamp>,
    pub(super) rollups: Rollups,
    /// Logs of polling endpoints.
    pub(super) logs: BTreeMap<EndpointId, Log>,
}

/// A delivery in any state.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredDelivery {
    pub(super) delivery: Delivery,
    /// The number of attempts made so far, scheduled or manual.
    pub(super) attempts: u16,
    pub(super) in_order: bool,
    pub(super) state: DeliveryState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryState {
    /// Free, and due at this time.
    Waiting(Timestamp),
    Leased {
        due_at: Timestamp,
        until: Timestamp,
    },
    Delivered,
    Failed,
    Cancelled,
}

/// An idempotency key.
#[derive(Clone, Debug)]
pub(super) struct ReservedKey {
    pub(super) fingerprint: [u8; 32],
    /// The response and when it was given; `None` while the request runs.
    pub(super) response: Option<(Vec<u8>, Timestamp)>,
}

impl DeliveryState {
    pub(super) const fn is_pending(self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Leased { .. })
    }

    /// When the delivery is due, if it has not ended.
    pub(super) const fn due_at(self) -> Option<Timestamp> {
        match self {
            Self::Waiting(due_at) | Self::Leased { due_at, .. } => Some(due_at),
            Self::Delivered | Self::Failed | Self::Cancelled => None,
        }
    }

    /// When the delivery is due, if it is free.
    pub(super) const fn waits_until(self) -> Option<Timestamp> {
        match self {
            Self::Waiting(at) => Some(at),
            Self::Leased { .. } | Self::Delivered | Self::Failed | Self::Cancelled => None,
        }
    }
}

impl State {
    /// The record of an endpoint, an application or a source.
    pub(super) fn record(&self, kind: RecordKind, id: u128) -> Option<&RecordRow> {
        self.records.get(&(kind, None, RecordId::Uuid(id))).map(|(_, row)| row)
    }

    /// Whether deliveries to the endpoint are paused.
    pub(super) fn is_paused(&self, endpoint: EndpointId) -> bool {
        let record = self.record(RecordKind::Endpoint, endpoint.as_u128());
        record.is_some_and(|it| it.is_disabled)
    }

    /// Free deliveries with no other delivery before them in the order of their endpoint, with
    /// their due times. Paused deliveries are left out.
    pub(super) fn offered(&self) -> impl Iterator<Item = (Timestamp, &StoredDelivery)> {
        let mut last = None;
        let heads = self.order.iter().filter(move |(endpoint, _)| {
            let is_head = last != Some(*endpoint);
            last = Some(*endpoint);
            is_head
        });
        let waiting = self.waiting.iter().map(|&(endpoint, _, message)| (endpoint, message));
        let all = heads.copied().chain(waiting).filter(|(it, _)| !self.is_paused(*it));
        all.filter_map(|(endpoint, message)| {
            let delivery = &self.deliveries[&DeliveryId { endpoint, message }];
            delivery.state.waits_until().map(|due_at| (due_at, delivery))
        })
    }

    /// Stores the delivery and enters it into the indexes that match its state.
    pub(super) fn put(&mut self, delivery: StoredDelivery) {
        let id = delivery.delivery.id;
        self.order.remove(&(id.endpoint, id.message));
        self.nodes.set_held(id, matches!(delivery.state, DeliveryState::Leased { .. }));
        match self.deliveries.insert(id, delivery).map(|before| before.state) {
            Some(DeliveryState::Waiting(at)) => {
                self.waiting.remove(&(id.endpoint, at, id.message));
            },
            Some(DeliveryState::Leased { until, .. }) => {
                self.leases.remove(&(until, id));
            },
            Some(DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Cancelled)
            | None => {},
        }
        if delivery.in_order && delivery.state.is_pending() {
            self.order.insert((id.endpoint, id.message));
        }
        match delivery.state {
            DeliveryState::Waiting(_) if delivery.in_order => {},
            DeliveryState::Waiting(at) => {
                self.waiting.insert((id.endpoint, at, id.message));
            },
            DeliveryState::Leased { until, .. } => {
                self.leases.insert((until, id));
            },
            DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Cancelled => {},
        }
    }

    /// Ends the lease of a delivery, which is due as before.
    pub(super) fn free(&mut self, id: DeliveryId) {
        let mut delivery = self.deliveries[&id];
        if let DeliveryState::Leased { due_at, .. } = delivery.state {
            delivery.state = DeliveryState::Waiting(due_at);
        }
        self.put(delivery);
    }

    /// Ends the leases of nodes that have left, and returns their number. The only node of a
    /// store that was never joined has the epoch 0 and cannot leave.
    pub(super) fn free_orphans(&mut self) -> u64 {
        let orphans = self.nodes.orphans();
        for id in &orphans {
            self.free(*id);
        }
        orphans.len() as u64
    }

    /// Cancels pending deliveries, and returns their number.
    pub(super) fn cancel_where(&mut self, touched: impl Fn(&StoredDelivery) -> bool) -> u64 {
        let ended: Vec<_> = self
            .deliveries
            .values()
            .filter(|delivery| delivery.state.is_pending() && touched(delivery))
            .copied()
            .collect();
        for delivery in &ended {
            self.put(StoredDelivery { state: DeliveryState::Cancelled, ..*delivery });
        }
        ended.len() as u64
    }

    /// Removes the body of a message, and cancels its deliveries.
    pub(super) fn expunge(&mut self, id: MessageId) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        Arc::make_mut(message).body = None;
        self.cancel_where(|delivery| delivery.delivery.id.message == id);
        true
    }

    /// Removes the response of an attempt.
    pub(super) fn expunge_attempt(&mut self, message: MessageId, id: AttemptId) -> bool {
        let attempt = self.attempts.get_mut(&id).filter(|it| it.delivery.message == message);
        attempt.map(|attempt| attempt.response = None).is_some()
    }

    /// The endpoints whose deliveries are paused.
    pub(super) fn paused_endpoints(&self) -> HashSet<EndpointId> {
        let endpoints = self.records.values().map(|(_, row)| row);
        let disabled = endpoints.filter(|it| it.kind == RecordKind::Endpoint && it.is_disabled);
        disabled
            .filter_map(|it| match it.id {
                RecordId::Uuid(id) => Some(EndpointId::from_u128(id)),
                RecordId::Name(_) => None,
            })
            .collect()
    }
}
