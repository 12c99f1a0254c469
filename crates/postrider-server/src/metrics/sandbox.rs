//! Metrics of the processes that run transformations.

use std::fmt;

use postrider_engine::Engine;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Reads the sandbox's counters whenever the metrics are requested.
#[derive(Debug)]
pub(super) struct SandboxCollector(pub(super) Engine);

impl Collector for SandboxCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(shaper) = self.0.shaper() else { return Ok(()) };
        let counts = shaper.counts();
        let gauges = [
            ("workers", "Processes that run transformations", counts.workers),
            ("queued", "Runs of transformations that wait for a process", counts.queued),
        ];
        for (name, about, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let name = format!("postrider_transformation_{name}");
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(&name, about, None, kind)?)?;
        }
        let counters = [
            ("runs", "Runs of transformations that have ended, whatever the result", counts.runs),
            (
                "rejected",
                "Runs of transformations that were refused because too many waited",
                counts.rejected,
            ),
            ("workers_started", "Processes for transformations that were started", counts.started),
            (
                "worker_start_failures",
                "Processes for transformations that could not be started",
                counts.start_failures,
            ),
            (
                "workers_killed",
                "Processes that were killed because a transformation ran too long",
                counts.killed,
            ),
            (
                "workers_crashed",
                "Processes that ended while they ran a transformation",
                counts.crashed,
            ),
        ];
        for (name, about, value) in counters {
            let counter = ConstCounter::new(value);
            let name = format!("postrider_transformation_{name}");
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(&name, about, None, kind)?)?;
        }
        Ok(())
    }
}
