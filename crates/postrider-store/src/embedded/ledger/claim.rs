//! Offering what waits.

use std::collections::HashMap;

use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    delivery::{Delivery, Trigger},
    retry::RetryPlan,
    time::Timestamp,
};

use rusqlite::params;

use super::{Ledger, ORDER, ORDER_OF_LANE};
use crate::{
    Claim, StoreError,
    embedded::{
        holdings::{Held, Lane, Waiting},
        journal::{Event, Standing},
        row,
    },
};

/// What a claim leased, before the messages are fetched.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Leased {
    /// By the sequences of their messages; the delivery's own message id is to be made whole.
    pub(in crate::embedded) deliveries: Vec<(Taken, u64)>,
    pub(in crate::embedded) next_due: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Taken {
    /// The endpoint's number.
    pub(in crate::embedded) number: u32,
    endpoint: EndpointId,
    application: ApplicationId,
    attempt: u16,
    trigger: Trigger,
    retry_plan: RetryPlan,
    reported: bool,
}

impl Taken {
    pub(in crate::embedded) const fn delivery(self, message: postrider::MessageId) -> Delivery {
        Delivery {
            id: postrider_core::delivery::DeliveryId { endpoint: self.endpoint, message },
            application: self.application,
            attempt: self.attempt,
            trigger: self.trigger,
            retry_plan: self.retry_plan,
            reported: self.reported,
        }
    }
}

pub(in crate::embedded) const NEXT_OF_LANE: &str =
    "SELECT endpoint, free_at, message, attempt, flags, due_at, resume_at
    FROM pending
    WHERE endpoint = ?1 AND free_at < ?2
    ORDER BY free_at, message";

const ENDPOINT_EXISTS: &str = "SELECT 1 FROM endpoints WHERE id = ?1";

impl Ledger {
    pub(in crate::embedded) fn claim(&mut self, claim: &Claim) -> Result<Leased, StoreError> {
        let now = claim.now.as_millis();
        self.end_leases(now)?;
        let mut leased = Leased::default();
        let mut used = HashMap::new();
        let due: Vec<_> = self.holdings.due().take_while(|&(next, _)| next <= now).collect();
        for (_, endpoint) in due {
            let left = claim.limit - leased.deliveries.len();
            if left == 0 {
                break;
            }
            let lane = self.holdings.lane(endpoint);
            let room = room(claim, &lane);
            if room == 0 {
                continue;
            }
            if !self.exists(lane.endpoint)? {
                self.cancel_endpoint(endpoint)?;
                continue;
            }
            let taken = self.lease(claim, endpoint, room.min(left), &mut leased)?;
            used.insert(endpoint, taken);
        }
        leased.next_due = self.next_due(claim, &used).map(Timestamp::from_millis);
        Ok(leased)
    }

    fn next_due(&self, claim: &Claim, used: &HashMap<u32, usize>) -> Option<u64> {
        let has_room = |endpoint: u32| {
            let lane = self.holdings.lane(endpoint);
            room(claim, &lane) > used.get(&endpoint).copied().unwrap_or(0)
        };
        let waiting = self.holdings.due().find(|&(_, endpoint)| has_room(endpoint));
        let lease_end = self.holdings.first_lease_end();
        waiting.map(|(next, _)| next).into_iter().chain(lease_end).min()
    }

    /// Leases up to `room` due deliveries of the lane; how many.
    fn lease(
        &mut self,
        claim: &Claim,
        endpoint: u32,
        room: usize,
        into: &mut Leased,
    ) -> Result<usize, StoreError> {
        let now = claim.now.as_millis();
        let mut found = Vec::new();
        let next = {
            let mut statement = self.db.prepare_cached(NEXT_OF_LANE)?;
            let mut rows = statement.query(params![endpoint, ORDER])?;
            loop {
                let Some(row) = rows.next()? else { break None };
                let waiting = Self::waiting(row)?;
                if self.holdings.held(endpoint, waiting.message).is_some() {
                    continue;
                }
                if found.len() == room || waiting.free_at > now {
                    break Some(waiting.free_at);
                }
                found.push(waiting);
            }
        };
        self.holdings.set_next(endpoint, next);
        let has_head = self.holdings.head(endpoint).is_some_and(|head| head <= now);
        if has_head && found.len() < room {
            self.find_prefix(endpoint, now, room, &mut found)?;
        }
        let lane = self.holdings.lane(endpoint);
        for waiting in &found {
            let held = Held { until: claim.lease_until.as_millis(), waiting: *waiting };
            self.holdings.set_held((endpoint, waiting.message), Some(held));
            into.deliveries.push((taken(&lane, waiting), waiting.message));
        }
        if found.last().is_some_and(|it| it.in_order) {
            // Nothing is offered behind what is held.
            self.holdings.set_head(endpoint, None);
        }
        Ok(found.len())
    }

    /// Adds the first ones of the lane's order, up to the first that is held or not due.
    fn find_prefix(
        &self,
        endpoint: u32,
        now: u64,
        room: usize,
        found: &mut Vec<Waiting>,
    ) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached(ORDER_OF_LANE)?;
        let mut rows = statement.query(params![endpoint, ORDER])?;
        while found.len() < room
            && let Some(row) = rows.next()?
        {
            let waiting = Self::waiting(row)?;
            let is_held = self.holdings.held(endpoint, waiting.message).is_some();
            if is_held || waiting.free_at > now {
                break;
            }
            found.push(waiting);
        }
        Ok(())
    }

    /// Offers again what is held beyond its lease.
    fn end_leases(&mut self, now: u64) -> Result<(), StoreError> {
        if self.holdings.first_lease_end().is_none_or(|end| end > now) {
            return Ok(());
        }
        let fresh: Vec<_> = self.holdings.all_fresh().filter(|(_, it)| it.until <= now).collect();
        for ((message, endpoint), fresh) in fresh {
            self.stay(message, endpoint, fresh)?;
        }
        let held: Vec<_> = self.holdings.all_held().filter(|it| it.until <= now).collect();
        for Held { waiting, .. } in held {
            self.holdings.set_held((waiting.endpoint, waiting.message), None);
            self.offer(waiting)?;
        }
        Ok(())
    }

    fn exists(&self, endpoint: EndpointId) -> Result<bool, StoreError> {
        let mut statement = self.db.prepare_cached(ENDPOINT_EXISTS)?;
        Ok(statement.exists([row::blob(endpoint.as_u128())])?)
    }

    /// Ends leases that came to nothing.
    pub(in crate::embedded) fn give_back(&mut self, keys: &[(u32, u64)]) -> Result<(), StoreError> {
        for &key in keys {
            let Some(held) = self.holdings.held(key.0, key.1) else { continue };
            self.holdings.set_held(key, None);
            self.offer(held.waiting)?;
        }
        Ok(())
    }

    /// The message of a leased delivery has lost its body: the delivery ends.
    pub(in crate::embedded) fn end_bodiless(&mut self, messages: &[u64]) -> Result<(), StoreError> {
        let held: Vec<_> =
            self.holdings.all_held().filter(|it| messages.contains(&it.waiting.message)).collect();
        for Held { waiting: Waiting { endpoint, message, .. }, .. } in held {
            self.end_one(message, endpoint)?;
            let to = Standing::Cancelled;
            self.events.push(Event::Moved { message, endpoint, to });
        }
        Ok(())
    }
}

fn room(claim: &Claim, lane: &Lane) -> usize {
    if !claim.shard.holds(lane.application) {
        return 0;
    }
    claim.capacities.get(&lane.endpoint).copied().unwrap_or(claim.per_endpoint)
}

const fn taken(lane: &Lane, waiting: &Waiting) -> Taken {
    Taken {
        number: waiting.endpoint,
        endpoint: lane.endpoint,
        application: lane.application,
        attempt: waiting.attempt,
        trigger: if waiting.manual { Trigger::Manual } else { Trigger::Scheduled },
        retry_plan: waiting.retry_plan,
        reported: waiting.reported,
    }
}
