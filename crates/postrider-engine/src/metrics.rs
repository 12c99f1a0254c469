//! The engine's metrics.

mod endpoints;
mod result;

use std::sync::atomic::AtomicU64;

use postrider_core::{cause, lane_state::LaneState, outcome::Outcome};
use postrider_store::{EndpointTotals, StoreSize};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

pub(crate) use self::endpoints::EndpointMetrics;
pub(crate) use self::result::AttemptResult;

/// Labels of the counter of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    pub result: AttemptResult,
}

/// Labels of the counter of failed attempts. The causes are a fixed set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CauseLabels {
    pub cause: &'static str,
}

/// Labels of the counter of endpoints that were disabled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    pub reason: &'static str,
}

/// Labels of the counter of messages about alerts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabels {
    pub channel: &'static str,
    pub result: &'static str,
}

/// Labels of numbers by state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabels {
    pub state: &'static str,
}

/// A metric that has a value only if something can be measured.
type Optional = Family<NoLabels, Gauge>;

type NoLabels = [(&'static str, &'static str); 0];

/// What the store measures of itself.
#[derive(Debug, Default)]
pub struct StoreMetrics {
    pub waiting_deliveries: Gauge,
    pub oldest_due_age: Gauge,
    pub stored_bytes: Gauge,
    pub disk_free: Optional,
    pub disk_size: Optional,
    pub index_lag: Optional,
    pub index_complete: Family<NoLabels, Gauge<f64, AtomicU64>>,
    pub connections: Family<StateLabels, Gauge>,
    pub max_connections: Optional,
    pub connection_waiters: Optional,
    pub endpoints: Family<StateLabels, Gauge>,
}

impl StoreMetrics {
    #[rustfmt::skip]
    fn register(&self, registry: &mut Registry) {
        registry.register("waiting_deliveries", "Deliveries that wait in the store", self.waiting_deliveries.clone());
        registry.register_with_unit("oldest_due_age", "How long the oldest due delivery has waited in the store", Unit::Seconds, self.oldest_due_age.clone());
        registry.register_with_unit("stored", "Size of the store on disk", Unit::Bytes, self.stored_bytes.clone());
        registry.register_with_unit("disk_free", "Free space of the disk with the data folder", Unit::Bytes, self.disk_free.clone());
        registry.register_with_unit("disk_size", "Size of the disk with the data folder", Unit::Bytes, self.disk_size.clone());
        registry.register("index_lag_commits", "Commits that lists and statistics do not show yet", self.index_lag.clone());
        registry.register("index_complete_ratio", "Part of the index that lists and statistics can use; 1 unless it is being rebuilt", self.index_complete.clone());
        registry.register("database_connections", "Connections to the database, by state", self.connections.clone());
        registry.register("database_max_connections", "Connections to the database that this node may open", self.max_connections.clone());
        registry.register("database_connection_waiters", "Operations that wait for a connection to the database", self.connection_waiters.clone());
        registry.register("endpoints", "Endpoints of all applications, by state", self.endpoints.clone());
    }

    /// Shows a measurement, in which the oldest due delivery has this age.
    pub(crate) fn show(&self, size: &StoreSize, oldest_due_age: u64) {
        self.waiting_deliveries.set(signed(size.waiting));
        self.oldest_due_age.set(signed(oldest_due_age));
        self.stored_bytes.set(signed(size.bytes));
        if let Some(disk) = size.disk {
            self.disk_free.get_or_create(&[]).set(signed(disk.free_bytes));
            self.disk_size.get_or_create(&[]).set(signed(disk.total_bytes));
        }
        if let Some(lag) = size.index_lag {
            self.index_lag.get_or_create(&[]).set(signed(lag));
            let complete = size.index_rebuild.map_or(1.0, |it| f64::from(it.percent) / 100.0);
            self.index_complete.get_or_create(&[]).set(complete);
        }
        if let Some(used) = size.connections {
            self.connections.get_or_create(&StateLabels { state: "idle" }).set(signed(used.idle));
            self.connections.get_or_create(&StateLabels { state: "busy" }).set(signed(used.busy));
            self.max_connections.get_or_create(&[]).set(signed(used.max));
            self.connection_waiters.get_or_create(&[]).set(signed(used.waiting));
        }
    }

    pub(crate) fn show_endpoints(&self, totals: EndpointTotals) {
        let EndpointTotals { enabled, paused, disabled } = totals;
        for (state, count) in [("enabled", enabled), ("paused", paused), ("disabled", disabled)] {
            self.endpoints.get_or_create(&StateLabels { state }).set(signed(count));
        }
    }
}

/// The engine's metrics.
#[derive(Debug)]
pub struct Metrics {
    pub messages: Counter,
    pub attempts: Family<AttemptLabels, Counter>,
    pub attempt_failures: Family<CauseLabels, Counter>,
    pub attempt_duration: Histogram,
    pub first_attempt_delay: Histogram,
    /// Of deliveries that no client asked to repeat.
    pub delivery_delay: Histogram,
    pub held_deliveries: Gauge,
    pub in_flight_attempts: Gauge,
    pub append_size: Histogram,
    pub append_duration: Histogram,
    pub settle_size: Histogram,
    pub settle_duration: Histogram,
    pub claimed_deliveries: Counter,
    pub claim_size: Histogram,
    pub claim_duration: Histogram,
    pub lease_steals: Counter,
    pub lost_deliveries: Counter,
    pub node_lease_valid: Gauge,
    pub store_reachable: Gauge,
    pub store: StoreMetrics,
    pub(crate) endpoints: EndpointMetrics,
    pub endpoints_disabled: Family<ReasonLabels, Counter>,
    pub alerts: Family<AlertLabels, Counter>,
    pub open_breakers: Gauge,
    pub failing_endpoints: Gauge,
    pub throttled_endpoints: Gauge,
    pub idle_connections: Gauge,
    /// Endpoints whose client certificate expires soon, and when the first one expires.
    pub expiring_certificates: Gauge,
    pub earliest_expiry: Gauge,
    pub store_errors: Counter,
    pub rotation_pending: Gauge,
    pub outdated_secrets: Gauge,
}

const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// Up to three days, because retries count.
const DELAYS: [f64; 14] = [
    0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 86_400.0,
    259_200.0,
];

const SIZES: [f64; 6] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Metrics {
    /// The metrics of an engine, of which up to `endpoints` endpoints have their own.
    pub fn new(endpoints: usize) -> Self {
        let seconds = || Histogram::new(SECONDS);
        let sizes = || Histogram::new(SIZES);
        Self {
            messages: Counter::default(),
            attempts: Family::default(),
            attempt_failures: Family::default(),
            attempt_duration: seconds(),
            first_attempt_delay: seconds(),
            delivery_delay: Histogram::new(DELAYS),
            held_deliveries: Gauge::default(),
            in_flight_attempts: Gauge::default(),
            append_size: sizes(),
            append_duration: seconds(),
            settle_size: sizes(),
            settle_duration: seconds(),
            claimed_deliveries: Counter::default(),
            claim_size: sizes(),
            claim_duration: seconds(),
            lease_steals: Counter::default(),
            lost_deliveries: Counter::default(),
            node_lease_valid: Gauge::default(),
            store_reachable: Gauge::default(),
            store: StoreMetrics::default(),
            endpoints: EndpointMetrics::new(endpoints),
            endpoints_disabled: Family::default(),
            alerts: Family::default(),
            open_breakers: Gauge::default(),
            failing_endpoints: Gauge::default(),
            throttled_endpoints: Gauge::default(),
            idle_connections: Gauge::default(),
            expiring_certificates: Gauge::default(),
            earliest_expiry: Gauge::default(),
            store_errors: Counter::default(),
            rotation_pending: Gauge::default(),
            outdated_secrets: Gauge::default(),
        }
    }

    /// Creates the series with known labels. A counter that begins with 1 has no increase, so an
    /// alert would miss it.
    fn create_series(&self) {
        for result in [AttemptResult::Delivered, AttemptResult::Retried, AttemptResult::Failed] {
            drop(self.attempts.get_or_create(&AttemptLabels { result }));
        }
        for reason in ["failing", "gone"] {
            drop(self.endpoints_disabled.get_or_create(&ReasonLabels { reason }));
        }
    }

    /// Counts the cause if an attempt failed.
    pub(crate) fn count_failure(&self, outcome: Outcome) {
        if let Some(cause) = cause::label(outcome) {
            self.attempt_failures.get_or_create(&CauseLabels { cause }).inc();
        }
    }

    /// Shows the states of this node's lanes.
    pub(crate) fn show_lanes(&self, lanes: &[LaneState]) {
        let count = |is_counted: fn(&LaneState) -> bool| {
            signed(lanes.iter().filter(|lane| is_counted(lane)).count() as u64)
        };
        self.open_breakers.set(count(|lane| lane.breaker.is_open()));
        self.failing_endpoints.set(count(|lane| lane.failing_since.is_some()));
        self.throttled_endpoints.set(count(|lane| lane.throttled_until.is_some()));
        self.endpoints.show(lanes);
    }

    /// Registers the metrics under their names.
    #[rustfmt::skip]
    pub fn register(&self, registry: &mut Registry) {
        self.create_series();
        let registry = registry.sub_registry_with_prefix("postrider");
        registry.register("messages", "Messages accepted", self.messages.clone());
        registry.register("attempts", "Delivery attempts, by result", self.attempts.clone());
        registry.register("attempt_failures", "Attempts that failed, by cause", self.attempt_failures.clone());
        registry.register_with_unit("attempt_duration", "Duration of an attempt", Unit::Seconds, self.attempt_duration.clone());
        registry.register_with_unit("first_attempt_delay", "Time from acceptance to the first attempt", Unit::Seconds, self.first_attempt_delay.clone());
        registry.register_with_unit("delivery_delay", "Time from acceptance to the successful attempt", Unit::Seconds, self.delivery_delay.clone());
        registry.register("held_deliveries", "Deliveries that this node holds in memory", self.held_deliveries.clone());
        registry.register("in_flight_attempts", "Attempts in progress", self.in_flight_attempts.clone());
        registry.register("append_batch_messages", "Messages per commit", self.append_size.clone());
        registry.register_with_unit("append_duration", "Duration of a commit of messages", Unit::Seconds, self.append_duration.clone());
        registry.register("settle_batch_attempts", "Attempts per commit", self.settle_size.clone());
        registry.register_with_unit("settle_duration", "Duration of a commit of attempts", Unit::Seconds, self.settle_duration.clone());
        registry.register("claimed_deliveries", "Deliveries claimed from the store", self.claimed_deliveries.clone());
        registry.register("claim_batch_deliveries", "Deliveries per claim, without claims that found none", self.claim_size.clone());
        registry.register_with_unit("claim_duration", "Duration of a claim", Unit::Seconds, self.claim_duration.clone());
        registry.register("lease_steals", "Deliveries taken over from nodes whose lease had expired", self.lease_steals.clone());
        registry.register("lost_deliveries", "Deliveries dropped from memory because another node may have taken them over", self.lost_deliveries.clone());
        registry.register("node_lease_valid", "Whether this node's lease is valid, so that it may start attempts", self.node_lease_valid.clone());
        registry.register("store_reachable", "Whether the last operation of the store succeeded", self.store_reachable.clone());
        self.store.register(registry);
        self.endpoints.register(registry);
        registry.register("endpoints_disabled", "Endpoints that this node disabled, by reason", self.endpoints_disabled.clone());
        registry.register("alert_messages", "Messages about built-in alerts, by channel and result", self.alerts.clone());
        registry.register("open_breakers", "Endpoints whose breaker is open on this node", self.open_breakers.clone());
        registry.register("failing_endpoints", "Endpoints of this node whose deliveries have been exhausted since the last success", self.failing_endpoints.clone());
        registry.register("throttled_endpoints", "Endpoints of this node that wait because of a rate or a Retry-After", self.throttled_endpoints.clone());
        registry.register("idle_connections", "Open connections to receivers without a request", self.idle_connections.clone());
        registry.register("expiring_client_certificates", "Endpoints that this node called in the last two days with a client certificate that expires within 30 days or has expired", self.expiring_certificates.clone());
        registry.register_with_unit("client_certificate_earliest_expiry_timestamp", "When the first of the expiring client certificates expires; 0 if there is none", Unit::Seconds, self.earliest_expiry.clone());
        registry.register("store_errors", "Failed operations of the store", self.store_errors.clone());
        registry.register("main_secret_rotation_pending", "Whether stored secrets may still need an older main secret", self.rotation_pending.clone());
        registry.register("outdated_secrets", "Stored secrets that were not encrypted with the current main secret when they were last looked at", self.outdated_secrets.clone());
    }
}

/// A number as the value of a gauge.
pub(crate) fn signed(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A count as a value for a histogram.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
