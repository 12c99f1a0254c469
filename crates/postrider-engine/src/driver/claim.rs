//! Takes due deliveries from the store: retries, overflow, what an earlier life left.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;
use postrider_store::{Claim, ClaimedBatch, StoreError};

use super::{Driver, Pending, append::size};
use crate::{Entry, engine::Shared, metrics};

/// Most deliveries of one claim, and of one endpoint in it.
const LIMIT: usize = 1_024;
const PER_ENDPOINT: usize = 64;

/// Shortest time between two claims that nothing asked for but the clock.
const PACE: std::time::Duration = std::time::Duration::from_millis(20);

/// Wait before a delivery is offered again whose endpoint was disabled while it was claimed: no
/// longer, since the endpoint may be enabled at any time.
const DISABLED_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// A claim under way, and when to make the next.
#[derive(Default)]
pub(super) struct Claiming {
    pub pending: Pending<Result<Found, StoreError>>,
    /// The lanes' rooms that the claim under way was made with.
    rooms: HashMap<EndpointId, usize>,
    began_at: Timestamp,
    /// The tenure's number then.
    tenure: u64,
    /// The next claim is due then; at once at the start.
    at: Timestamp,
}

/// A claim's deliveries, with the applications that they belong to.
pub(super) struct Found {
    claimed: ClaimedBatch,
    entries: HashMap<ApplicationId, Arc<Entry>>,
}

impl Claiming {
    /// Something falls due then.
    pub(super) fn due(&mut self, at: Timestamp) {
        self.at = self.at.min(at);
    }

    pub(super) fn hurry(&mut self) {
        self.at = Timestamp::default();
    }

    /// When the next claim is to be made, with room for so many deliveries.
    pub(super) fn deadline(&self, free: usize) -> Timestamp {
        if self.pending.is_some() || free == 0 { Timestamp::MAX } else { self.at }
    }
}

impl Driver {
    /// Makes a claim if one is due or a lane has run low, and none is under way.
    pub(super) fn claim(&mut self, now: Timestamp) {
        if self.is_stopping
            || self.is_release_doubtful
            || !self.is_tenured(now)
            || self.claiming.pending.is_some()
            || self.dispatcher.free() == 0
        {
            return;
        }
        let is_hungry = self.dispatcher.take_hunger();
        if !is_hungry && self.claiming.at > now {
            return;
        }
        let limits = &self.shared.settings.limits;
        self.claiming.at = now + limits.poll;
        self.claiming.rooms = self.dispatcher.rooms(PER_ENDPOINT, now);
        self.claiming.began_at = now;
        self.claiming.tenure = self.tenure.epoch;
        let claim = Claim {
            now,
            lease_until: now + limits.lease,
            limit: LIMIT.min(self.dispatcher.free()),
            per_endpoint: PER_ENDPOINT,
            capacities: self.claiming.rooms.clone(),
            shard: self.shard,
        };
        let shared = Arc::clone(&self.shared);
        self.claiming.pending = Some(Box::pin(async move { shared.claim(claim).await }));
    }

    pub(super) fn claimed(&mut self, result: Result<Found, StoreError>) {
        let now = self.shared.clock.now();
        self.keep_tenure();
        let rooms = std::mem::take(&mut self.claiming.rooms);
        let Found { claimed, entries } = match result {
            Ok(found) => found,
            Err(error) => return self.shared.store_failed("claim", &error),
        };
        if let Some(next_due) = claimed.next_due {
            self.claiming.due(next_due.max(now + PACE));
        }
        self.measure(claimed.deliveries.len(), now);
        let mut counts = HashMap::new();
        for (delivery, _) in &claimed.deliveries {
            *counts.entry(delivery.id.endpoint).or_default() += 1;
        }
        self.dispatcher.claimed(&rooms, PER_ENDPOINT, &counts);
        if self.claiming.tenure != self.tenure.epoch {
            return self.lose(claimed.deliveries.len());
        }
        for (delivery, message) in claimed.deliveries {
            let endpoint = delivery.id.endpoint;
            let entry = entries.get(&delivery.application);
            let has_lane = entry.is_some_and(|entry| self.ensure_lane(entry, endpoint));
            if self.is_stopping {
                // Another node, or this one's next life, takes it at once.
                self.returned.push((delivery, now));
            } else if has_lane {
                let bytes = size(&message);
                self.dispatcher.due(delivery, message, bytes, now);
            } else if entry.is_some_and(|it| self.shared.directory.current(it).is_none()) {
                // The next claim reads the application again.
                self.returned.push((delivery, now));
            } else {
                let entry = entries.get(&delivery.application);
                let is_disabled = entry.is_some_and(|it| it.is_disabled(endpoint));
                let lease = self.shared.settings.limits.lease;
                let pause = if is_disabled { DISABLED_PAUSE } else { lease };
                self.returned.push((delivery, now + pause));
            }
        }
    }

    fn measure(&self, count: usize, now: Timestamp) {
        let metrics = &self.shared.metrics;
        metrics.claimed_deliveries.inc_by(count as u64);
        if count > 0 {
            let duration = now.since(self.claiming.began_at);
            metrics.claim_size.observe(metrics::count(count));
            metrics.claim_duration.observe(duration.as_secs_f64());
        }
    }
}

impl Shared {
    /// Claims, and fetches what is to be known of the applications. If that cannot be had, what
    /// was claimed goes back.
    async fn claim(&self, claim: Claim) -> Result<Found, StoreError> {
        let now = claim.now;
        let claimed = self.store.claim(claim).await?;
        match self.entries(&claimed).await {
            Ok(entries) => Ok(Found { claimed, entries }),
            Err(error) => {
                let deliveries = claimed.deliveries.into_iter().map(|(it, _)| (it, now)).collect();
                if let Err(error) = self.store.release(deliveries).await {
                    self.store_failed("release", &error);
                }
                Err(error)
            },
        }
    }

    /// The applications of what was claimed. The store offers nothing of a disabled endpoint, so
    /// an entry that has one as disabled is out of date, and is read again.
    async fn entries(
        &self,
        claimed: &ClaimedBatch,
    ) -> Result<HashMap<ApplicationId, Arc<Entry>>, StoreError> {
        let mut entries = HashMap::new();
        let mut refreshed = HashSet::new();
        for (delivery, _) in &claimed.deliveries {
            let id = delivery.application;
            if !entries.contains_key(&id)
                && let Some(entry) = self.directory.entry(id).await?
            {
                entries.insert(id, entry);
            }
            let entry = entries.get(&id);
            if entry.is_some_and(|it| it.is_disabled(delivery.id.endpoint))
                && refreshed.insert(id)
                && let Some(entry) = self.directory.refresh(id).await?
            {
                entries.insert(id, entry);
            }
        }
        Ok(entries)
    }
}
