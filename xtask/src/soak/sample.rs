//! What the server uses, every few seconds.

use std::{path::Path, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::{restarts, run::Run, site::Site};
use crate::bench::console::progress;

pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

const MIB: f64 = 1_048_576.0;

/// How long a delivery may be pending at most.
const MAX_PENDING_SECONDS: f64 = 300.0;

/// What the logs of both files of the embedded store may occupy together. They restart at 32 and
/// 64 MiB; on a busy machine they grow meanwhile.
const MAX_LOG_MIB: f64 = 256.0;

/// A sample.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// Since the start of the run.
    pub(crate) second: f64,
    /// The server's process, which changes with each restart.
    pub(crate) pid: u32,
    pub(crate) rss_mib: f64,
    pub(crate) files: f64,
    pub(crate) threads: f64,
    /// Without what only the retention of whole days removes, and without the logs.
    pub(crate) disk_mib: f64,
    pub(crate) history_mib: f64,
    pub(crate) log_mib: f64,
    pub(crate) pending: u64,
    /// Of deliveries to fast endpoints since the previous sample, in milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Takes samples until the load ends, and checks what has to hold at all times.
pub(crate) async fn watch(run: Arc<Run>, site: Arc<Site>) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_overdue, mut is_log_too_long) = (false, false);
    while run.is_loaded() {
        tokio::select! {
            _ = ticks.tick() => {},
            () = run.load_end() => break,
        }
        match take(&run, &site).await {
            Ok(sample) => samples.extend(sample),
            Err(error) => {
                run.record().violate(format!("{error:#}"));
                run.end_load();
            },
        }
        let oldest = run.record().oldest_pending(run.now());
        if oldest > MAX_PENDING_SECONDS && !is_overdue {
            is_overdue = true;
            run.record().violate(format!("a delivery has been pending for {oldest:.0} s"));
        }
        let log = samples.last().map_or(0.0, |it: &Sample| it.log_mib);
        if log > MAX_LOG_MIB && !is_log_too_long {
            is_log_too_long = true;
            run.record().violate(format!("the logs of the store have {log:.0} MiB"));
        }
        if samples.len() % 12 == 1 {
            report(&run, samples.last());
        }
    }
    samples
}

/// A sample, unless the server is being restarted.
async fn take(run: &Run, site: &Site) -> anyhow::Result<Option<Sample>> {
    let Some(pid) = site.pid()? else { return Ok(None) };
    let process = Path::new("/proc").join(pid.to_string());
    let (Ok(status), Ok(files)) =
        (std::fs::read_to_string(process.join("status")), process.join("fd").read_dir())
    else {
        return Ok(None);
    };
    // PostgreSQL or a file may go away while the server is restarted.
    let usage = site.disk_usage().await.unwrap_or_default();
    let latency = std::mem::take(&mut *run.latencies()).summarize();
    Ok(Some(Sample {
        second: run.now(),
        pid,
        rss_mib: number(&status, "VmRSS:") / 1_024.0,
        files: files.count() as f64,
        threads: number(&status, "Threads:"),
        disk_mib: usage.bytes.saturating_sub(usage.history + usage.logs) as f64 / MIB,
        history_mib: usage.history as f64 / MIB,
        log_mib: usage.logs as f64 / MIB,
        pending: run.record().pending(),
        p50_ms: latency.p50_ms,
        p99_ms: latency.p99_ms,
    }))
}

/// A number in `/proc/…/status`.
fn number(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

fn report(run: &Run, sample: Option<&Sample>) {
    let (accepted, violations) = {
        let record = run.record();
        (record.accepted, record.violation_count)
    };
    let Some(it) = sample else { return };
    progress(&format!(
        "  {:6.0} s  accepted {accepted}, pending {}, p50 {:.1} ms, p99 {:.0} ms, {:.1} MiB, \
         {} files, {} threads, disk {:.1} MiB, logs {:.0} MiB, violations {violations}",
        it.second,
        it.pending,
        it.p50_ms,
        it.p99_ms,
        it.rss_mib,
        it.files,
        it.threads,
        it.disk_mib,
        it.log_mib
    ));
}

/// Samples of the process that was left alone, without those during which its caches filled.
pub(crate) fn quiet(samples: &[Sample], seconds: f64) -> Vec<Sample> {
    let from = (restarts::QUIET_FROM + restarts::WARM_UP) * seconds;
    let until = restarts::QUIET_UNTIL * seconds;
    let inside = samples.iter().filter(|it| it.second > from && it.second < until);
    inside.copied().collect()
}
