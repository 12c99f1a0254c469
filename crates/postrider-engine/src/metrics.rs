//! All that is counted.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// How attempts end, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum AttemptResult {
    Delivered,
    Retried,
    Failed,
}

/// Labels of the attempts' counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    pub result: AttemptResult,
}

/// All that the engine counts.
#[derive(Debug)]
pub struct Metrics {
    pub messages: Counter,
    pub attempts: Family<AttemptLabels, Counter>,
    pub attempt_duration: Histogram,
    pub arrival: Histogram,
    pub held: Gauge,
    pub in_flight: Gauge,
    pub append_size: Histogram,
    pub append_duration: Histogram,
    pub settle_size: Histogram,
    pub settle_duration: Histogram,
    pub claimed: Counter,
    pub claim_size: Histogram,
    pub claim_duration: Histogram,
    pub steals: Counter,
    pub lost: Counter,
    pub tenure: Gauge,
    pub reachable: Gauge,
    pub waiting: Gauge,
    pub oldest_due: Gauge,
    pub stored_bytes: Gauge,
    pub store_errors: Counter,
}

const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

const SIZES: [f64; 6] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0];

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(SECONDS);
        let sizes = || Histogram::new(SIZES);
        Self {
            messages: Counter::default(),
            attempts: Family::default(),
            attempt_duration: seconds(),
            arrival: seconds(),
            held: Gauge::default(),
            in_flight: Gauge::default(),
            append_size: sizes(),
            append_duration: seconds(),
            settle_size: sizes(),
            settle_duration: seconds(),
            claimed: Counter::default(),
            claim_size: sizes(),
            claim_duration: seconds(),
            steals: Counter::default(),
            lost: Counter::default(),
            tenure: Gauge::default(),
            reachable: Gauge::default(),
            waiting: Gauge::default(),
            oldest_due: Gauge::default(),
            stored_bytes: Gauge::default(),
            store_errors: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes the metrics known under their names.
    #[rustfmt::skip]
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("postrider");
        registry.register("messages", "Messages accepted", self.messages.clone());
        registry.register("attempts", "Attempts made, by result", self.attempts.clone());
        registry.register_with_unit("attempt_duration", "Time of one attempt", Unit::Seconds, self.attempt_duration.clone());
        registry.register_with_unit("first_attempt_delay", "Time from acceptance to the first attempt", Unit::Seconds, self.arrival.clone());
        registry.register("held_deliveries", "Deliveries in memory", self.held.clone());
        registry.register("in_flight_attempts", "Attempts under way", self.in_flight.clone());
        registry.register("append_batch_messages", "Messages in one commit", self.append_size.clone());
        registry.register_with_unit("append_duration", "Time of one commit of messages", Unit::Seconds, self.append_duration.clone());
        registry.register("settle_batch_attempts", "Attempts in one commit", self.settle_size.clone());
        registry.register_with_unit("settle_duration", "Time of one commit of attempts", Unit::Seconds, self.settle_duration.clone());
        registry.register("claimed_deliveries", "Deliveries taken from the store", self.claimed.clone());
        registry.register("claim_batch_deliveries", "Deliveries of one claim that found some", self.claim_size.clone());
        registry.register_with_unit("claim_duration", "Time of one claim", Unit::Seconds, self.claim_duration.clone());
        registry.register("lease_steals", "Deliveries taken over from nodes whose leases had ended", self.steals.clone());
        registry.register("lost_deliveries", "Deliveries in memory that another node may have taken over", self.lost.clone());
        registry.register("tenure_valid", "Whether this node may begin calls: its lease lasts", self.tenure.clone());
        registry.register("store_reachable", "Whether the last call of the store was answered", self.reachable.clone());
        registry.register("waiting_deliveries", "Deliveries waiting in the store", self.waiting.clone());
        registry.register_with_unit("oldest_due_age", "How long the longest due delivery has waited in the store", Unit::Seconds, self.oldest_due.clone());
        registry.register_with_unit("stored", "Size of the store on disk", Unit::Bytes, self.stored_bytes.clone());
        registry.register("store_errors", "Calls of the store that failed", self.store_errors.clone());
    }
}

/// A count as a histogram takes it.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
