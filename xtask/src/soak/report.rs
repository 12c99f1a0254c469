//! The verdict of a run, as text and as JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::{
    record::Counts,
    run::Activity,
    sample::{self, Sample},
    trend::{Trend, block_lowest, block_means},
};

/// Samples of a point of a trend: a minute.
const BLOCK: usize = 12;

/// A trend needs at least as many points, or says nothing.
const MIN_POINTS: usize = 8;

const DAY: f64 = 24.0;

/// One point for each block of points.
type Summary = fn(&[(f64, f64)], usize) -> Vec<(f64, f64)>;

/// A name, a bound, the value of a sample, and what is taken of a block of them.
type Bound = (&'static str, f64, fn(&Sample) -> f64, Summary);

/// What may not grow, and by how much it may seem to grow in a day.
const BOUNDS: [Bound; 4] = [
    ("memory (MiB)", 64.0, |it| it.rss_mib, block_means),
    // Connections for what is in progress: how many there are depends on how busy the machine is.
    ("file descriptors", 240.0, |it| it.files, block_lowest),
    ("threads", 16.0, |it| it.threads, block_means),
    // Finished background tasks, which are kept for longer than a run, and configuration changes.
    ("disk (MiB)", 256.0, |it| it.disk_mib, block_means),
];

/// The result for one store.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) store: &'static str,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    pub(crate) was_interrupted: bool,
    pub(crate) accepted: u64,
    pub(crate) resent: u64,
    pub(crate) resends_arrived: u64,
    pub(crate) endpoints: BTreeMap<&'static str, Counts>,
    pub(crate) activity: Activity,
    pub(crate) drained_in_seconds: f64,
    pub(crate) trends: Vec<Growth>,
    pub(crate) history_bytes_per_message: f64,
    pub(crate) violation_count: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

/// How something grew in the process that was left alone, per hour.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Growth {
    pub(crate) of: &'static str,
    #[serde(flatten)]
    pub(crate) trend: Trend,
    pub(crate) allowed_in_a_day: f64,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Flat,
    Grows,
    /// The run was too short.
    TooFewPoints,
}

/// The growth of all that may not grow, from samples of one process.
pub(crate) fn growth(samples: &[Sample]) -> Vec<Growth> {
    let growth = |&(of, allowed_in_a_day, value, summary): &Bound| {
        let points: Vec<_> = samples.iter().map(|it| (it.second / 3_600.0, value(it))).collect();
        let trend = Trend::through(&summary(&points, BLOCK));
        let verdict = if trend.points < MIN_POINTS {
            Verdict::TooFewPoints
        } else if trend.is_flat(DAY, allowed_in_a_day) {
            Verdict::Flat
        } else {
            Verdict::Grows
        };
        Growth { of, trend, allowed_in_a_day, verdict }
    };
    BOUNDS.iter().map(growth).collect()
}

impl Report {
    /// Adds a violation that was found after the run.
    pub(crate) fn violate(&mut self, what: String) {
        self.violation_count += 1;
        self.violations.push(what);
    }

    pub(crate) fn has_passed(&self) -> bool {
        self.violation_count == 0 && self.trends.iter().all(|it| it.verdict != Verdict::Grows)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a text takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let Self { store, seconds, rate, seed, accepted, violation_count, .. } = self;
        writeln!(text, "{store}: {seconds:.0} s at {rate} messages per second, seed {seed}")?;
        if self.was_interrupted {
            writeln!(text, "  interrupted")?;
        }
        let (resent, again) = (self.resent, self.resends_arrived);
        writeln!(text, "  accepted {accepted}, resent {resent}, of which {again} arrived again")?;
        writeln!(text, "  drained in {:.0} s after the load", self.drained_in_seconds)?;
        let header = ["requests", "messages", "repeated", "missing"];
        writeln!(text, "  {:<12}{}", "endpoint", header.map(|it| format!(" {it:>10}")).concat())?;
        for (name, it) in &self.endpoints {
            let counts = [it.calls, it.distinct, it.repeated, it.pending];
            let counts = counts.map(|it| format!(" {it:>10}")).concat();
            writeln!(text, "  {name:<12}{counts}")?;
        }
        writeln!(text, "  {:?}", self.activity)?;
        for it in &self.trends {
            let Growth { of, trend, allowed_in_a_day, verdict } = it;
            writeln!(
                text,
                "  {of}: mean {:.1}, {:+.2} ± {:.2} per hour ({} minutes; {allowed_in_a_day} per \
                 day allowed): {verdict:?}",
                trend.mean,
                trend.slope,
                trend.half_width(),
                trend.points,
            )?;
        }
        if self.history_bytes_per_message > 0.0 {
            let bytes = self.history_bytes_per_message;
            writeln!(text, "  history until its day is dropped: {bytes:.0} bytes per message")?;
        }
        if let Some((p50, p99)) = self.latency() {
            writeln!(text, "  median of the samples' p50 {p50:.1} ms, of their p99 {p99:.1} ms")?;
        }
        writeln!(text, "  violations: {violation_count}")?;
        self.violations.iter().try_for_each(|it| writeln!(text, "    {it}"))?;
        writeln!(text, "  {}", if self.has_passed() { "passed" } else { "FAILED" })
    }

    /// The medians of the samples' quantiles, without the time of restarts.
    fn latency(&self) -> Option<(f64, f64)> {
        let quiet = sample::quiet(&self.samples, self.seconds);
        let median = |value: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = quiet.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some((median(|it| it.p50_ms)?, median(|it| it.p99_ms)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u32, rss_mib: impl Fn(u32) -> f64) -> Vec<Sample> {
        let sample = |at: u32| {
            let second = f64::from(at) * 5.0;
            Sample { second, rss_mib: rss_mib(at), files: 40.0, ..Sample::default() }
        };
        (0..count).map(sample).collect()
    }

    fn verdicts(samples: &[Sample]) -> Vec<Verdict> {
        growth(samples).iter().map(|it| it.verdict).collect()
    }

    #[test]
    fn a_leak_of_a_megabyte_per_minute_is_found_in_ten_minutes() {
        let leaking = samples(120, |at| 60.0 + f64::from(at) / 12.0 + f64::from(at % 3));
        assert_eq!(
            verdicts(&leaking),
            [Verdict::Grows, Verdict::Flat, Verdict::Flat, Verdict::Flat]
        );
    }

    #[test]
    fn memory_that_varies_is_flat_and_a_short_run_says_nothing() {
        let varying = samples(120, |at| 60.0 + f64::from(at * 7 % 13));
        assert_eq!(verdicts(&varying), [Verdict::Flat; 4]);
        let short = samples(20, f64::from);
        assert_eq!(verdicts(&short), [Verdict::TooFewPoints; 4]);
    }
}
