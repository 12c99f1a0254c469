//! Deliveries from acceptance to their end, and what time takes away.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{
    catalog::Recovery,
    delivery::{Delivery, DeliveryId, ResendMode, Settlement},
    message::Message,
    retry::Verdict,
    time::Timestamp,
};

use super::State;
use crate::{
    AppendOutcome, Claim, ClaimedBatch, DeliveryOrder, Hold, NewMessage, Retention, Scope,
    StoreSize,
};

/// A delivery, whatever became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Duty {
    pub(super) delivery: Delivery,
    /// Attempts made so far, whoever asked for them.
    pub(super) attempts: u16,
    pub(super) in_order: bool,
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody holds it; due then.
    Waiting(Timestamp),
    /// Somebody holds it until then.
    Leased {
        due_at: Timestamp,
        until: Timestamp,
    },
    Delivered,
    Failed,
    Cancelled,
}

impl Standing {
    const fn is_pending(self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Leased { .. })
    }

    /// When it is due, if nobody holds it.
    const fn waits_until(self) -> Option<Timestamp> {
        match self {
            Self::Waiting(at) => Some(at),
            Self::Leased { .. } | Self::Delivered | Self::Failed | Self::Cancelled => None,
        }
    }
}

impl State {
    pub(super) fn append(&mut self, new: NewMessage) -> AppendOutcome {
        let NewMessage { message, targets, idempotency } = new;
        if let Some(&known) = idempotency.and_then(|digest| self.idempotent.get(&digest)) {
            return AppendOutcome::Duplicate(known);
        }
        if self.messages.contains_key(&message.id) {
            return AppendOutcome::New;
        }
        if let Some(event_id) = message.event_id.clone() {
            let key = (message.application, event_id);
            if let Some(&taken) = self.event_ids.get(&key) {
                return AppendOutcome::EventIdTaken(taken);
            }
            self.event_ids.insert(key, message.id);
        }
        if let Some(digest) = idempotency {
            self.idempotent.insert(digest, message.id);
        }
        for target in targets {
            let id = DeliveryId { endpoint: target.endpoint, message: message.id };
            let delivery = Delivery::first(id, message.application);
            let standing = match target.hold {
                Hold::Free(due_at) => Standing::Waiting(due_at),
                Hold::Leased(until) => Standing::Leased { due_at: first_due(&message), until },
            };
            let in_order = target.order == DeliveryOrder::InOrder;
            self.put(Duty { delivery, attempts: 0, in_order, standing });
        }
        self.messages.insert(message.id, message);
        AppendOutcome::New
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> ClaimedBatch {
        self.end_leases(claim.now);
        let mut claimed = ClaimedBatch::default();
        let mut left = HashMap::new();
        for (first_due, endpoint) in self.lanes(claim) {
            let most = room(claim, endpoint).min(claim.limit - claimed.deliveries.len());
            let taken = if first_due > claim.now || most == 0 {
                0
            } else if !self.endpoints.contains_key(&endpoint) {
                self.cancel_where(|duty| duty.delivery.id.endpoint == endpoint);
                0
            } else {
                self.lease(claim, endpoint, most, &mut claimed)
            };
            left.insert(endpoint, room(claim, endpoint) - taken);
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

    /// Endpoints of the shard with room, with when their first delivery falls due; the one
    /// that waits longest first.
    fn lanes(&self, claim: &Claim) -> Vec<(Timestamp, EndpointId)> {
        let asked = |duty: &&Duty| {
            room(claim, duty.delivery.id.endpoint) > 0
                && claim.shard.holds(duty.delivery.application)
        };
        let mut lanes = BTreeMap::new();
        for (due_at, duty) in self.offered().filter(|(_, duty)| asked(duty)) {
            let first: &mut Timestamp = lanes.entry(duty.delivery.id.endpoint).or_insert(due_at);
            *first = due_at.min(*first);
        }
        let mut lanes: Vec<_> = lanes.into_iter().map(|(endpoint, at)| (at, endpoint)).collect();
        lanes.sort_unstable();
        lanes
    }

    fn is_paused(&self, endpoint: EndpointId) -> bool {
        self.endpoints.get(&endpoint).is_some_and(|it| it.disabled)
    }

    /// Deliveries without a holder and with nothing before them, with their due times; none that is paused.
    fn offered(&self) -> impl Iterator<Item = (Timestamp, &Duty)> {
        let mut last = None;
        let heads = self.order.iter().filter(move |(endpoint, _)| {
            let is_head = last != Some(*endpoint);
            last = Some(*endpoint);
            is_head
        });
        let waiting = self.waiting.iter().map(|&(endpoint, _, message)| (endpoint, message));
        let all = heads.copied().chain(waiting).filter(|(it, _)| !self.is_paused(*it));
        all.filter_map(|(endpoint, message)| {
            let duty = &self.deliveries[&DeliveryId { endpoint, message }];
            duty.standing.waits_until().map(|due_at| (due_at, duty))
        })
    }

    /// Leases up to `room` due deliveries of the endpoint; how many.
    fn lease(
        &mut self,
        claim: &Claim,
        endpoint: EndpointId,
        room: usize,
        into: &mut ClaimedBatch,
    ) -> usize {
        let first = (endpoint, Timestamp::default(), MessageId::from_u128(0));
        let last = (endpoint, claim.now, MessageId::from_u128(u128::MAX));
        let any = self.waiting.range(first..=last).map(|&(_, due_at, message)| (due_at, message));
        let due: Vec<_> = any.chain(self.prefix(endpoint, claim.now)).collect();
        let mut taken = 0;
        for (due_at, message) in due {
            if taken == room {
                break;
            }
            let mut duty = self.deliveries[&DeliveryId { endpoint, message }];
            let message = self.messages.get(&message).filter(|it| it.body.is_some()).cloned();
            let Some(message) = message else {
                duty.standing = Standing::Cancelled;
                self.put(duty);
                continue;
            };
            duty.standing = Standing::Leased { due_at, until: claim.lease_until };
            self.put(duty);
            into.deliveries.push((duty.delivery, message));
            taken += 1;
        }
        taken
    }

    /// The first ones of the endpoint's order, as far as they are due and nobody holds them.
    fn prefix(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, MessageId)> {
        let all = MessageId::from_u128(0)..=MessageId::from_u128(u128::MAX);
        let order = self.order.range((endpoint, *all.start())..=(endpoint, *all.end()));
        order.map_while(move |&(endpoint, message)| {
            let standing = self.deliveries[&DeliveryId { endpoint, message }].standing;
            let due_at = standing.waits_until().filter(|it| *it <= now)?;
            Some((due_at, message))
        })
    }

    /// Makes a delivery that somebody holds due again.
    pub(super) fn free(&mut self, id: DeliveryId) {
        let mut duty = self.deliveries[&id];
        if let Standing::Leased { due_at, .. } = duty.standing {
            duty.standing = Standing::Waiting(due_at);
        }
        self.put(duty);
    }

    fn end_leases(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.leases.first() {
            if until > now {
                return;
            }
            self.free(id);
        }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        if let Some(failing_since) = settlement.failing_since {
            self.note_failing(settlement.delivery.id.endpoint, failing_since);
        }
        let id = settlement.delivery.id;
        let Some(mut duty) = self.deliveries.get(&id).copied() else { return };
        if self.attempts.contains_key(&settlement.attempt.id) {
            return;
        }
        self.attempts.insert(settlement.attempt.id, settlement.attempt.clone());
        duty.attempts = duty.attempts.saturating_add(1);
        let same = duty.delivery.attempt == settlement.delivery.attempt
            && duty.delivery.trigger == settlement.delivery.trigger;
        let is_ours = self.nodes.may_move(id) || settlement.verdict == Verdict::Delivered;
        if duty.standing.is_pending() && same && is_ours {
            duty.delivery.reported = settlement.delivery.reported;
            duty.standing = match settlement.verdict {
                Verdict::Delivered => Standing::Delivered,
                Verdict::GiveUp(_) => Standing::Failed,
                Verdict::RetryAt(at) => {
                    duty.delivery = duty.delivery.after_failure();
                    Standing::Waiting(at)
                },
            };
        }
        self.put(duty);
    }

    pub(super) fn release(&mut self, delivery: &Delivery, at: Timestamp) {
        let held = self.deliveries.get(&delivery.id).copied();
        if let Some(duty) = held.filter(|it| matches!(it.standing, Standing::Leased { .. })) {
            self.put(Duty { standing: Standing::Waiting(at), ..duty });
        }
    }

    pub(super) fn resend(
        &mut self,
        application: ApplicationId,
        id: DeliveryId,
        at: Timestamp,
        mode: ResendMode,
    ) -> bool {
        let message = self.messages.get(&id.message);
        if message.is_none_or(|it| it.application != application || it.body.is_none()) {
            return false;
        }
        let known = self.deliveries.get(&id);
        if known.is_some_and(|it| matches!(it.standing, Standing::Leased { .. })) {
            return true;
        }
        let attempts = known.map_or(0, |it| it.attempts);
        let due_at = known.and_then(|it| it.standing.waits_until());
        let delivery = known.map_or(Delivery::first(id, application), |it| it.delivery);
        let delivery = delivery.resent(mode, due_at);
        let in_order = false;
        self.put(Duty { delivery, attempts, in_order, standing: Standing::Waiting(at) });
        true
    }

    pub(super) fn recover(&mut self, now: Timestamp, limit: usize) -> Option<usize> {
        let (recovery, after) = self.recoveries.front().cloned()?;
        let failed: Vec<_> = self
            .deliveries
            .values()
            .filter(|it| it.delivery.id.endpoint == recovery.endpoint)
            .filter(|it| matches!(it.standing, Standing::Failed | Standing::Cancelled))
            .map(|it| it.delivery.id)
            // What fails again meanwhile must not be found again: go on behind it.
            .filter(|id| id.message > after)
            .filter(|id| (recovery.since..recovery.until).contains(&accepted_at(id.message)))
            .take(limit)
            .collect();
        let Recovery { application, mode, .. } = recovery;
        let done = failed.iter().filter(|&&id| self.resend(application, id, now, mode)).count();
        match failed.last() {
            Some(last) if failed.len() == limit => self.recoveries[0].1 = last.message,
            _ => drop(self.recoveries.pop_front()),
        }
        Some(done)
    }

    pub(super) fn cancel(&mut self, scope: Scope) -> u64 {
        self.cancel_where(|duty| match scope {
            Scope::Application(id) => duty.delivery.application == id,
            Scope::Endpoint(_, id) => duty.delivery.id.endpoint == id,
            Scope::Message(_, id) => duty.delivery.id.message == id,
        })
    }

    fn cancel_where(&mut self, touched: impl Fn(&Duty) -> bool) -> u64 {
        let ended: Vec<_> = self
            .deliveries
            .values()
            .filter(|duty| duty.standing.is_pending() && touched(duty))
            .copied()
            .collect();
        for duty in &ended {
            self.put(Duty { standing: Standing::Cancelled, ..*duty });
        }
        ended.len() as u64
    }

    /// Ends what waits for disabled endpoints, of these messages.
    fn end_paused(&mut self, touched: impl Fn(MessageId) -> bool) {
        let disabled: HashSet<_> =
            self.endpoints.values().filter(|it| it.disabled).map(|it| it.id).collect();
        self.cancel_where(|duty| {
            let id = duty.delivery.id;
            let waits = duty.standing.waits_until().is_some();
            waits && disabled.contains(&id.endpoint) && touched(id.message)
        });
    }

    pub(super) fn expunge(&mut self, id: MessageId) -> bool {
        let Some(message) = self.messages.get_mut(&id) else { return false };
        Arc::make_mut(message).body = None;
        self.cancel_where(|duty| duty.delivery.id.message == id);
        true
    }

    pub(super) fn expire(&mut self, now: Timestamp, retention: Retention) {
        let outlived: Vec<_> = self
            .messages
            .values()
            .filter(|it| it.body.is_some() && it.body_until <= now)
            .map(|it| it.id)
            .collect();
        for id in outlived {
            self.expunge(id);
        }
        let old = |millis: u64, keep| Timestamp::from_millis(millis) + keep <= now;
        self.end_paused(|id| old(id.millis(), retention.rows));
        let pending: Vec<_> = self
            .deliveries
            .values()
            .filter(|it| it.standing.is_pending())
            .map(|it| it.delivery.id.message)
            .collect();
        self.messages.retain(|id, _| pending.contains(id) || !old(id.millis(), retention.rows));
        let Self { messages, deliveries, attempts, event_ids, idempotent, .. } = self;
        attempts.retain(|id, it| {
            !old(id.millis(), retention.rows) && messages.contains_key(&it.delivery.message)
        });
        deliveries.retain(|id, _| messages.contains_key(&id.message));
        event_ids.retain(|_, id| messages.contains_key(id));
        idempotent.retain(|_, id| !old(id.millis(), retention.digests));
        self.rejections.retain(|(_, id), _| !old(id.millis(), retention.rejections));
        self.reservations.retain(|_, reserved| {
            reserved.answer.as_ref().is_none_or(|(_, at)| *at + retention.idempotency > now)
        });
    }

    pub(super) fn backlog(&self, application: ApplicationId) -> u64 {
        let is_one =
            |it: &&Duty| it.delivery.application == application && it.standing.is_pending();
        self.deliveries.values().filter(is_one).count() as u64
    }

    /// Erases up to `limit` messages of a removed application; `true` if one was due.
    pub(super) fn erase(&mut self, now: Timestamp, limit: usize) -> bool {
        let due = self.erasures.iter().find(|(_, due_at)| **due_at <= now);
        let Some((&application, &due_at)) = due else { return false };
        if self.applications.contains_key(&application) {
            self.erasures.remove(&application);
            return true;
        }
        let of = self.messages.values().filter(|it| it.application == application);
        let gone: HashSet<_> = of.map(|it| it.id).take(limit).collect();
        if gone.is_empty() {
            if due_at > Timestamp::from_millis(0) {
                self.erasures.remove(&application);
            } else {
                self.erasures.insert(application, now + LATE);
            }
            return true;
        }
        self.cancel_where(|duty| gone.contains(&duty.delivery.id.message));
        self.messages.retain(|id, _| !gone.contains(id));
        self.deliveries.retain(|id, _| !gone.contains(&id.message));
        self.attempts.retain(|_, it| !gone.contains(&it.delivery.message));
        self.event_ids.retain(|_, id| !gone.contains(id));
        self.idempotent.retain(|_, id| !gone.contains(id));
        true
    }

    pub(super) fn size(&self) -> StoreSize {
        let bodies = self.messages.values().filter_map(|it| it.body.as_ref());
        StoreSize {
            waiting: self
                .deliveries
                .values()
                .filter(|it| it.standing.waits_until().is_some())
                .count() as u64,
            oldest_due: self.offered().map(|(due_at, _)| due_at).min(),
            bytes: bodies.map(|body| body.len() as u64).sum(),
        }
    }

    /// Puts the delivery where its standing wants it.
    fn put(&mut self, duty: Duty) {
        let id = duty.delivery.id;
        self.order.remove(&(id.endpoint, id.message));
        self.nodes.note(id, matches!(duty.standing, Standing::Leased { .. }));
        match self.deliveries.insert(id, duty).map(|before| before.standing) {
            Some(Standing::Waiting(at)) => {
                self.waiting.remove(&(id.endpoint, at, id.message));
            },
            Some(Standing::Leased { until, .. }) => {
                self.leases.remove(&(until, id));
            },
            Some(Standing::Delivered | Standing::Failed | Standing::Cancelled) | None => {},
        }
        if duty.in_order && duty.standing.is_pending() {
            self.order.insert((id.endpoint, id.message));
        }
        match duty.standing {
            Standing::Waiting(_) if duty.in_order => {},
            Standing::Waiting(at) => {
                self.waiting.insert((id.endpoint, at, id.message));
            },
            Standing::Leased { until, .. } => {
                self.leases.insert((until, id));
            },
            Standing::Delivered | Standing::Failed | Standing::Cancelled => {},
        }
    }
}

/// What an application may still get after its removal comes within this time.
const LATE: Duration = Duration::from_secs(60);

/// When a fresh delivery of the message is due.
fn first_due(message: &Message) -> Timestamp {
    message.deliver_at.unwrap_or_default().max(message.created_at())
}

const fn accepted_at(message: MessageId) -> Timestamp {
    Timestamp::from_millis(message.millis())
}

fn room(claim: &Claim, endpoint: EndpointId) -> usize {
    claim.capacities.get(&endpoint).copied().unwrap_or(claim.per_endpoint)
}
