//! Claims due deliveries from the store: retries, overflow, and what an earlier process left.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use postrider::ApplicationId;
use postrider_core::{
    delivery::Delivery,
    dispatch::{ClaimRequest, ClaimResult, ClaimedDelivery, Input},
    message::Message,
    time::Timestamp,
};
use postrider_store::{Claim, ClaimedBatch, Shard, Store, StoreError};

use super::{
    in_flight::InFlight,
    lanes::{Dispatcher, LaneConfigurator},
    weight::size_in_memory,
};
use crate::{
    components::Components,
    directory::{Directory, Entry},
    metrics::{self, Metrics},
    store_errors::StoreErrors,
};

/// Wait before a delivery is offered again whose endpoint was disabled or paused while it was
/// claimed. It is short, because that may end at any time.
const STOPPED_PAUSE: Duration = Duration::from_secs(1);

/// Claims deliveries; one claim at a time.
#[derive(Debug)]
pub(super) struct Claimer {
    reader: ClaimReader,
    metrics: Arc<Metrics>,
    shard: Shard,
    lease: Duration,
    in_flight: InFlight<Result<Claimed, StoreError>>,
    began_at: Timestamp,
}

/// The deliveries of a claim, with the applications that they belong to.
#[derive(Debug)]
pub(super) struct Claimed {
    batch: ClaimedBatch,
    entries: HashMap<ApplicationId, Arc<Entry>>,
}

impl Claimer {
    pub(super) fn new(components: &Components, shard: Shard) -> Self {
        let reader = ClaimReader {
            store: Arc::clone(&components.store),
            directory: Arc::clone(&components.directory),
            errors: Arc::clone(&components.errors),
        };
        Self {
            reader,
            metrics: Arc::clone(&components.metrics),
            shard,
            lease: components.settings.limits.lease,
            in_flight: InFlight::default(),
            began_at: Timestamp::default(),
        }
    }

    pub(super) fn start(&mut self, request: ClaimRequest, now: Timestamp) {
        let ClaimRequest { limit, per_endpoint, capacities } = request;
        let (shard, lease_until) = (self.shard, now + self.lease);
        let claim = Claim { now, lease_until, limit, per_endpoint, capacities, shard };
        let reader = self.reader.clone();
        self.began_at = now;
        self.in_flight.start(async move { reader.claim(claim).await });
    }

    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<Result<Claimed, StoreError>> {
        self.in_flight.poll(ctx)
    }

    /// Hands the deliveries of a claim to the dispatcher, and creates the lanes that they need.
    pub(super) fn finish(
        &self,
        result: Result<Claimed, StoreError>,
        dispatcher: &mut Dispatcher,
        lanes: &LaneConfigurator,
        now: Timestamp,
    ) {
        let Claimed { batch, entries } = match result {
            Ok(claimed) => claimed,
            Err(error) => {
                self.reader.errors.report("claim", &error);
                return dispatcher.handle(Input::ClaimFailed, now);
            },
        };
        self.measure(batch.deliveries.len(), now);
        let resolve = |(delivery, message): (Delivery, Arc<Message>)| {
            let entry = entries.get(&delivery.application);
            let release_until = match entry {
                Some(entry) if lanes.ensure(dispatcher, entry, delivery.id.endpoint, now) => None,
                Some(entry) => Some(now + self.pause(&delivery, entry, lanes)),
                None => Some(now + self.lease),
            };
            let bytes = size_in_memory(&message);
            ClaimedDelivery { delivery, payload: message, bytes, release_until }
        };
        let deliveries = batch.deliveries.into_iter().map(resolve).collect();
        let result = ClaimResult { deliveries, next_due: batch.next_due };
        dispatcher.handle(Input::Claimed(result), now);
    }

    /// How long a delivery without a lane stays in the store.
    fn pause(&self, delivery: &Delivery, entry: &Arc<Entry>, lanes: &LaneConfigurator) -> Duration {
        if lanes.is_outdated(entry) {
            // The next claim reads the application again.
            Duration::ZERO
        } else if entry.is_stopped(delivery.id.endpoint) {
            STOPPED_PAUSE
        } else {
            self.lease
        }
    }

    fn measure(&self, count: usize, now: Timestamp) {
        self.metrics.claimed_deliveries.inc_by(count as u64);
        if count > 0 {
            let duration = now.since(self.began_at);
            self.metrics.claim_size.observe(metrics::count(count));
            self.metrics.claim_duration.observe(duration.as_secs_f64());
        }
    }
}

/// Claims, and reads the applications of what was claimed.
#[derive(Clone, Debug)]
struct ClaimReader {
    store: Arc<dyn Store>,
    directory: Arc<Directory>,
    errors: Arc<StoreErrors>,
}

impl ClaimReader {
    /// If the applications cannot be read, the deliveries are released.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let now = claim.now;
        let batch = self.store.claim(claim).await?;
        match self.entries(&batch).await {
            Ok(entries) => Ok(Claimed { batch, entries }),
            Err(error) => {
                let deliveries = batch.deliveries.into_iter().map(|(it, _)| (it, now)).collect();
                if let Err(error) = self.store.release(deliveries).await {
                    self.errors.report("release", &error);
                }
                Err(error)
            },
        }
    }

    /// The applications of what was claimed. The store offers nothing of a disabled or
    /// paused endpoint, so an entry in which it is one of these is out of date, and is read again.
    async fn entries(
        &self,
        batch: &ClaimedBatch,
    ) -> Result<HashMap<ApplicationId, Arc<Entry>>, StoreError> {
        let mut entries = HashMap::new();
        let mut refreshed = HashSet::new();
        for (delivery, _) in &batch.deliveries {
            let id = delivery.application;
            if !entries.contains_key(&id)
                && let Some(entry) = self.directory.entry(id).await?
            {
                entries.insert(id, entry);
            }
            let entry = entries.get(&id);
            if entry.is_some_and(|it| it.is_stopped(delivery.id.endpoint))
                && refreshed.insert(id)
                && let Some(entry) = self.directory.refresh(id).await?
            {
                entries.insert(id, entry);
            }
        }
        Ok(entries)
    }
}
