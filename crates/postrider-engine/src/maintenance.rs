//! Work that can wait: retention, erasure, recoveries, the sizes that metrics show.

use std::{sync::Arc, time::Duration};

use postrider_core::{statistics::StatisticsRetention, time::Timestamp};
use postrider_store::{Retention, Store, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    alerts::AlertInbox,
    clock::Clock,
    components::Components,
    metrics::{Metrics, signed},
    router::Router,
    sender::{ExpiringCertificates, Sender},
    store_errors::StoreErrors,
};

/// Deliveries that a recovery restores in one step.
const RECOVERED_PER_STEP: usize = 500;

/// Messages of removed applications that are erased in one step.
const ERASED_PER_STEP: usize = 200;

/// Time between two steps if none is requested.
const INTERVAL: Duration = Duration::from_secs(1);

/// Steps between two times at which statistics are added up, and how often that is repeated then
/// if there is more.
const STEPS_PER_ROLLUP: u64 = 10;
const ROLLUPS_PER_STEP: usize = 10;

/// Steps between two measurements of the store's size.
const STEPS_PER_MEASUREMENT: u64 = 5;

/// Steps between two times at which all endpoints are counted, which looks at each of them.
const STEPS_PER_COUNT: u64 = 60;

/// Does work that can wait, in small steps.
#[derive(Debug)]
pub struct MaintenanceTask {
    store: Arc<dyn Store>,
    sender: Arc<dyn Sender>,
    retention: Retention,
    statistics_retention: StatisticsRetention,
    clock: Arc<Clock>,
    router: Router,
    metrics: Arc<Metrics>,
    alerts: Arc<AlertInbox>,
    errors: Arc<StoreErrors>,
    requested: Arc<Notify>,
}

impl MaintenanceTask {
    /// A step is made early when `requested` is notified.
    pub(crate) fn new(components: &Components, requested: Arc<Notify>) -> Self {
        Self {
            store: Arc::clone(&components.store),
            sender: Arc::clone(&components.sender),
            retention: components.settings.retention,
            statistics_retention: components.settings.statistics_retention,
            clock: Arc::clone(&components.clock),
            router: components.router.clone(),
            metrics: Arc::clone(&components.metrics),
            alerts: Arc::clone(&components.alerts),
            errors: Arc::clone(&components.errors),
            requested,
        }
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut steps = 0;
        while !stop.is_cancelled() {
            let step = self.step(steps).await;
            if step.is_ok() {
                self.metrics.store_reachable.set(1);
            }
            let has_more = step.unwrap_or_else(|error| {
                self.errors.report("maintenance", &error);
                false
            });
            steps += 1;
            if has_more {
                // Other tasks of this thread run before the next step.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {},
                () = self.requested.notified() => {},
                () = tokio::time::sleep(INTERVAL) => {},
            }
        }
    }

    /// One bounded step of everything; `true` if there is more to do at once.
    async fn step(&self, number: u64) -> Result<bool, StoreError> {
        let Self { store, clock, .. } = self;
        let recovered = store.recover(clock.now(), RECOVERED_PER_STEP).await?;
        if recovered.is_some_and(|count| count > 0) {
            self.router.wake_all();
        }
        if number.is_multiple_of(STEPS_PER_MEASUREMENT) {
            self.measure().await?;
            self.publish_lanes().await?;
        }
        if number.is_multiple_of(STEPS_PER_COUNT) {
            self.metrics.store.show_endpoints(store.endpoint_totals().await?);
        }
        let has_expired = store.expire(clock.now(), self.retention).await?;
        let has_erased = store.erase(clock.now(), ERASED_PER_STEP).await?;
        if number.is_multiple_of(STEPS_PER_ROLLUP) {
            self.roll_up().await?;
        }
        Ok(has_expired || has_erased || recovered.is_some())
    }

    async fn roll_up(&self) -> Result<(), StoreError> {
        for _ in 0..ROLLUPS_PER_STEP {
            let now = self.clock.now();
            if !self.store.maintain_statistics(now, self.statistics_retention).await? {
                break;
            }
        }
        Ok(())
    }

    /// Shows the states of this node's lanes, to other nodes too.
    async fn publish_lanes(&self) -> Result<(), StoreError> {
        let mut lanes = self.router.lane_states(None).await;
        self.metrics.show_lanes(&lanes);
        if !self.store.is_shared() {
            return Ok(());
        }
        lanes.retain(|lane| !lane.is_unremarkable());
        self.store.publish_lanes(lanes).await
    }

    async fn measure(&self) -> Result<(), StoreError> {
        let ExpiringCertificates { endpoints, earliest } =
            self.sender.expiring_certificates(self.clock.now());
        let earliest = earliest.map_or(0, Timestamp::as_seconds);
        self.metrics.expiring_certificates.set(endpoints.try_into().unwrap_or(i64::MAX));
        self.metrics.earliest_expiry.set(earliest.try_into().unwrap_or(i64::MAX));
        let size = self.store.size().await?;
        let age = size.oldest_due.map_or(0, |due| self.clock.now().since(due).as_secs());
        self.metrics.store.show(&size, age);
        self.alerts.measured(&size);
        self.metrics.idle_connections.set(signed(self.sender.idle_connections() as u64));
        Ok(())
    }
}
