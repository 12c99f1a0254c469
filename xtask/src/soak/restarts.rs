//! When the server is stopped, killed and started again.

use super::behavior::mixed;

/// How the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGTERM.
    Stop,
    /// SIGKILL.
    Kill,
}

/// In between, memory and file descriptors of one process are observed.
pub(crate) const QUIET_FROM: f64 = 0.35;
pub(crate) const QUIET_UNTIL: f64 = 0.9;

/// The part of that time during which caches fill.
pub(crate) const WARM_UP: f64 = 0.15;

/// Seconds between two restarts of a long run.
const INTERVAL: f64 = 240.0;

/// Restarts in a run of this many seconds, each with its time: before and after the time during
/// which one process is observed. Every third one is a kill.
pub(crate) fn plan(seconds: f64, seed: u64) -> Vec<(f64, End)> {
    let count = ((seconds * QUIET_FROM / INTERVAL) as u64).clamp(2, 12);
    let early = (0..count).map(|it| QUIET_FROM * (it as f64 + 1.0) / (count as f64 + 0.5));
    let late = [QUIET_UNTIL + 0.02, QUIET_UNTIL + 0.06];
    let end = |index: usize| {
        let is_kill = (index as u64 + seed).is_multiple_of(3);
        if is_kill { End::Kill } else { End::Stop }
    };
    let shifted = |at: f64, index: usize| {
        let draw = (mixed(seed ^ index as u64) % 1_000) as f64 / 1_000.0;
        (at - 0.01 * draw) * seconds
    };
    let times = early.chain(late).enumerate();
    times.map(|(index, at)| (shifted(at, index), end(index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_both_kinds_of_restarts_and_one_process_that_is_left_alone() {
        for seconds in [15.0, 600.0, 7_200.0, 86_400.0] {
            for seed in 0..10 {
                let plan = plan(seconds, seed);
                assert!(plan.is_sorted_by_key(|it| it.0), "{plan:?}");
                assert!(plan.iter().any(|it| it.1 == End::Kill), "{plan:?}");
                assert!(plan.iter().any(|it| it.1 == End::Stop), "{plan:?}");
                let quiet = seconds * QUIET_FROM..seconds * QUIET_UNTIL;
                assert!(plan.iter().all(|it| !quiet.contains(&it.0)), "{plan:?}");
                assert!(plan.iter().all(|it| it.0 > 0.0 && it.0 < seconds), "{plan:?}");
            }
        }
    }
}
