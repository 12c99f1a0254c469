//! Metrics of single endpoints, for as many of them as the operator allows.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider::{ApplicationId, EndpointId};
use postrider_core::{lane_state::LaneState, slots::Slots, time::Timestamp};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::result::AttemptResult;

/// How long an endpoint keeps its series after its last attempt.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Fewer than for all endpoints together, because each endpoint has its own.
const SECONDS: [f64; 6] = [0.01, 0.05, 0.25, 1.0, 5.0, 15.0];

/// Whether a failed attempt is retried is known later.
const RESULTS: [AttemptResult; 2] = [AttemptResult::Delivered, AttemptResult::Failed];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    application: String,
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointAttemptLabels {
    application: String,
    endpoint: String,
    result: AttemptResult,
}

/// An endpoint and its application.
type Place = (ApplicationId, EndpointId);

/// The series of an endpoint that each attempt changes. Finding them in their families would take
/// the texts of their labels.
#[derive(Debug)]
struct Series {
    delivered: Counter,
    failed: Counter,
    duration: Histogram,
}

#[derive(Debug)]
struct HeldPlaces {
    slots: Slots<Place>,
    /// Those of the places that are held.
    series: HashMap<Place, Series>,
}

/// Metrics of the endpoints that were called first, up to a limit. An endpoint that is no longer
/// called loses its series, and makes room for another one.
#[derive(Debug)]
pub(crate) struct EndpointMetrics {
    limit: usize,
    held_places: Mutex<HeldPlaces>,
    attempts: Family<EndpointAttemptLabels, Counter>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    breakers: Family<EndpointLabels, Gauge>,
    held: Family<EndpointLabels, Gauge>,
}

impl EndpointMetrics {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            held_places: Mutex::new(HeldPlaces {
                slots: Slots::new(limit, IDLE_TIMEOUT),
                series: HashMap::new(),
            }),
            attempts: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            breakers: Family::default(),
            held: Family::default(),
        }
    }

    #[rustfmt::skip]
    pub(super) fn register(&self, registry: &mut Registry) {
        if self.limit == 0 {
            return;
        }
        registry.register("endpoint_attempts", "Delivery attempts of single endpoints, by result", self.attempts.clone());
        registry.register_with_unit("endpoint_attempt_duration", "Duration of the attempts of single endpoints", Unit::Seconds, self.durations.clone());
        registry.register("endpoint_breaker_open", "Whether the breaker of the endpoint is open on this node", self.breakers.clone());
        registry.register("endpoint_held_deliveries", "Deliveries to the endpoint that this node holds in memory", self.held.clone());
    }

    /// Counts an attempt with this duration.
    pub(crate) fn observe(
        &self,
        place: Place,
        result: AttemptResult,
        duration: Duration,
        now: Timestamp,
    ) {
        if self.limit == 0 {
            return;
        }
        let mut held = self.held_places();
        let used = held.slots.note(&place, now);
        for freed in used.freed {
            held.series.remove(&freed);
            self.remove(freed);
        }
        if !used.is_held {
            return;
        }
        let series = held.series.entry(place).or_insert_with(|| self.series(place));
        match result {
            AttemptResult::Delivered => series.delivered.inc(),
            AttemptResult::Retried | AttemptResult::Failed => series.failed.inc(),
        };
        series.duration.observe(duration.as_secs_f64());
    }

    fn series(&self, place: Place) -> Series {
        let [delivered, failed] = RESULTS.map(|result| {
            let EndpointLabels { application, endpoint } = labels(place);
            let labels = EndpointAttemptLabels { application, endpoint, result };
            self.attempts.get_or_create_owned(&labels)
        });
        Series { delivered, failed, duration: self.durations.get_or_create_owned(&labels(place)) }
    }

    /// Shows the states of lanes. Endpoints without one hold nothing.
    pub(crate) fn show(&self, lanes: &[LaneState]) {
        if self.limit == 0 {
            return;
        }
        self.breakers.clear();
        self.held.clear();
        for lane in lanes {
            let place = (lane.application, lane.endpoint);
            if self.held_places().slots.contains(&place) {
                let labels = labels(place);
                self.breakers.get_or_create(&labels).set(i64::from(lane.breaker.is_open()));
                self.held.get_or_create(&labels).set(lane.held.try_into().unwrap_or(i64::MAX));
            }
        }
    }

    fn remove(&self, place: Place) {
        let labels = labels(place);
        self.durations.remove(&labels);
        self.breakers.remove(&labels);
        self.held.remove(&labels);
        for result in RESULTS {
            let EndpointLabels { application, endpoint } = labels.clone();
            self.attempts.remove(&EndpointAttemptLabels { application, endpoint, result });
        }
    }

    fn held_places(&self) -> MutexGuard<'_, HeldPlaces> {
        self.held_places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels((application, endpoint): Place) -> EndpointLabels {
    EndpointLabels { application: application.to_string(), endpoint: endpoint.to_string() }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn an_endpoint_has_series_while_it_is_called() {
        let metrics = EndpointMetrics::new(1);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let place = |id| (ApplicationId::from_u128(1), EndpointId::from_u128(id));
        let at = |hours: u64| Timestamp::from_millis(hours * 3_600_000);
        let observe = |id, now| {
            metrics.observe(place(id), AttemptResult::Delivered, Duration::from_millis(20), now);
        };
        let shows = |id: u128| {
            let mut shown = String::new();
            text::encode(&mut shown, &registry).unwrap();
            shown.contains(&format!("endpoint=\"{}\"", EndpointId::from_u128(id)))
        };
        observe(2, at(10));
        observe(3, at(10));
        assert_eq!((shows(2), shows(3)), (true, false));
        observe(3, at(12));
        assert_eq!((shows(2), shows(3)), (false, true));
    }
}
