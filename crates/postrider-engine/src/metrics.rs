//! The engine's metrics.

use std::fmt::{self, Write as _};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptResult {
    Delivered,
    Retried,
    Failed,
}

impl EncodeLabelValue for AttemptResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Failed => "failed",
        })
    }
}

/// Labels of the counter of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    pub result: AttemptResult,
}

/// The engine's metrics.
#[derive(Debug)]
pub struct Metrics {
    pub messages: Counter,
    pub attempts: Family<AttemptLabels, Counter>,
    pub attempt_duration: Histogram,
    pub first_attempt_delay: Histogram,
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
    pub waiting_deliveries: Gauge,
    pub oldest_due_age: Gauge,
    pub stored_bytes: Gauge,
    /// Endpoints whose client certificate expires soon, and when the first one expires.
    pub expiring_certificates: Gauge,
    pub earliest_expiry: Gauge,
    pub store_errors: Counter,
    pub rotation_pending: Gauge,
    pub outdated_secrets: Gauge,
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
            first_attempt_delay: seconds(),
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
            waiting_deliveries: Gauge::default(),
            oldest_due_age: Gauge::default(),
            stored_bytes: Gauge::default(),
            expiring_certificates: Gauge::default(),
            earliest_expiry: Gauge::default(),
            store_errors: Counter::default(),
            rotation_pending: Gauge::default(),
            outdated_secrets: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers the metrics under their names, and a renamed one under its old name for one more
    /// release.
    #[rustfmt::skip]
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("postrider");
        registry.register("messages", "Messages accepted", self.messages.clone());
        registry.register("attempts", "Delivery attempts, by result", self.attempts.clone());
        registry.register_with_unit("attempt_duration", "Duration of an attempt", Unit::Seconds, self.attempt_duration.clone());
        registry.register_with_unit("first_attempt_delay", "Time from acceptance to the first attempt", Unit::Seconds, self.first_attempt_delay.clone());
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
        registry.register("tenure_valid", "Deprecated: use postrider_node_lease_valid", self.node_lease_valid.clone());
        registry.register("store_reachable", "Whether the last operation of the store succeeded", self.store_reachable.clone());
        registry.register("waiting_deliveries", "Deliveries that wait in the store", self.waiting_deliveries.clone());
        registry.register_with_unit("oldest_due_age", "How long the oldest due delivery has waited in the store", Unit::Seconds, self.oldest_due_age.clone());
        registry.register_with_unit("stored", "Size of the store on disk", Unit::Bytes, self.stored_bytes.clone());
        registry.register("expiring_client_certificates", "Endpoints that this node called in the last two days with a client certificate that expires within 30 days or has expired", self.expiring_certificates.clone());
        registry.register_with_unit("client_certificate_earliest_expiry_timestamp", "When the first of the expiring client certificates expires; 0 if there is none", Unit::Seconds, self.earliest_expiry.clone());
        registry.register("store_errors", "Failed operations of the store", self.store_errors.clone());
        registry.register("main_secret_rotation_pending", "Whether stored secrets may still need an older main secret", self.rotation_pending.clone());
        registry.register("outdated_secrets", "Stored secrets that were not encrypted with the current main secret when they were last looked at", self.outdated_secrets.clone());
    }
}

/// A count as a value for a histogram.
pub(crate) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
