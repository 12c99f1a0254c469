//! Metrics of the process, under the names that all Prometheus clients use.

use std::{fmt, fs, time::Duration};

use postrider_core::process::{self, ProcessStatus};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

/// Reads the process's files in `/proc` whenever the metrics are requested. A value that cannot be
/// read is left out.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// In seconds since 1970.
    started_at: Option<f64>,
}

impl ProcessCollector {
    pub(super) fn new() -> Self {
        let times = process::times(&read("self/stat"));
        let boot = process::boot_time(&read("stat"));
        let started_at = times.zip(boot).map(|(times, boot)| {
            Duration::from_secs(boot).as_secs_f64() + times.started_after_boot_seconds
        });
        Self { started_at }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("/proc/{path}")).unwrap_or_default()
}

/// A number of bytes or things, as the value of a metric.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers anyway")]
const fn float(number: u64) -> f64 {
    number as f64
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(times) = process::times(&read("self/stat")) {
            let about = "User and system CPU time";
            let counter = ConstCounter::new(times.cpu_seconds);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(
                "process_cpu",
                about,
                Some(&Unit::Seconds),
                kind,
            )?)?;
        }
        let ProcessStatus { resident_bytes, virtual_bytes, threads } =
            process::status(&read("self/status"));
        let open = fs::read_dir("/proc/self/fd").map(|it| it.count() as u64).ok();
        let max = process::max_open_files(&read("self/limits"));
        let gauges = [
            (
                "process_resident_memory",
                "Resident memory",
                Some(Unit::Bytes),
                Some(float(resident_bytes)),
            ),
            (
                "process_virtual_memory",
                "Virtual memory",
                Some(Unit::Bytes),
                Some(float(virtual_bytes)),
            ),
            ("process_threads", "Threads of the operating system", None, Some(float(threads))),
            ("process_open_fds", "Open file descriptors", None, open.map(float)),
            ("process_max_fds", "Limit of open file descriptors", None, max.map(float)),
            (
                "process_start_time",
                "Start of the process, in seconds since 1970",
                Some(Unit::Seconds),
                self.started_at,
            ),
        ];
        for (name, about, unit, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(name, about, unit.as_ref(), kind)?)?;
        }
        Ok(())
    }
}
