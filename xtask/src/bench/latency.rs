//! Latencies, one by one, and what is said of them.

use serde::{Deserialize, Serialize};

/// More than any run sends; a bound all the same.
const MOST: usize = 16_000_000;

#[derive(Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

/// Milliseconds at the usual places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latencies {
    pub(crate) fn note(&mut self, from_nanos: u64, to_nanos: u64) {
        if self.micros.len() < MOST {
            let micros = to_nanos.saturating_sub(from_nanos) / 1_000;
            self.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn summarize(self) -> Summary {
        let mut micros = self.micros;
        micros.sort_unstable();
        let at = |share: usize| {
            let index = (micros.len() * share / 100).min(micros.len().saturating_sub(1));
            f64::from(micros.get(index).copied().unwrap_or(0)) / 1_000.0
        };
        Summary {
            count: micros.len() as u64,
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
            max_ms: at(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_percentiles() {
        let mut latencies = Latencies::default();
        for millis in 1..=100 {
            latencies.note(0, millis * 1_000_000);
        }
        let summary = latencies.summarize();
        assert_eq!((summary.count, summary.p50_ms, summary.p99_ms), (100, 51.0, 100.0));
        assert_eq!(Latencies::default().summarize(), Summary::default());
    }
}
