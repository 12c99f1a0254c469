//! Which sources have rejected many requests lately.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use postrider::SourceId;

use crate::time::Timestamp;

/// Most sources that are followed at the same time.
const MAX_SOURCES: usize = 1_000;

/// Counts the rejected requests of each source within a window.
#[derive(Clone, Debug)]
pub struct RejectionWindow {
    length: Duration,
    threshold: usize,
    /// The times of the last rejections of each source, at most as many as the threshold.
    times: HashMap<SourceId, VecDeque<Timestamp>>,
}

impl RejectionWindow {
    /// A source counts as rejecting if it has rejected `threshold` requests within `length`.
    pub fn new(length: Duration, threshold: usize) -> Self {
        Self { length, threshold: threshold.max(1), times: HashMap::new() }
    }

    /// Counts a rejected request.
    pub fn note(&mut self, source: SourceId, now: Timestamp) {
        if self.times.len() >= MAX_SOURCES && !self.times.contains_key(&source) {
            self.forget_old(now);
            if self.times.len() >= MAX_SOURCES {
                return;
            }
        }
        let times = self.times.entry(source).or_default();
        if times.len() >= self.threshold {
            times.pop_front();
        }
        times.push_back(now);
    }

    /// The sources that are rejecting, each with the end of the window after its last rejection.
    pub fn rejecting(&mut self, now: Timestamp) -> Vec<(SourceId, Timestamp)> {
        self.forget_old(now);
        let mut rejecting: Vec<_> = self
            .times
            .iter()
            .filter_map(|(source, times)| {
                let (first, last) = (times.front()?, times.back()?);
                let is_full = times.len() >= self.threshold && now.since(*first) <= self.length;
                is_full.then(|| (*source, *last + self.length))
            })
            .collect();
        rejecting.sort_unstable();
        rejecting
    }

    fn forget_old(&mut self, now: Timestamp) {
        let length = self.length;
        self.times.retain(|_, times| times.back().is_some_and(|last| now.since(*last) <= length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_source_rejects_while_the_window_is_full() {
        let (one, other) = (SourceId::from_u128(1), SourceId::from_u128(2));
        let mut window = RejectionWindow::new(Duration::from_secs(60), 3);
        for now in [100, 110] {
            window.note(one, at(now));
            window.note(other, at(now * 10));
        }
        assert_eq!(window.rejecting(at(110)), []);
        window.note(one, at(120));
        assert_eq!(window.rejecting(at(120)), [(one, at(180))]);
        assert_eq!(window.rejecting(at(160)), [(one, at(180))]);
        assert_eq!(window.rejecting(at(161)), [], "the first one is too old");
        window.note(one, at(165));
        assert_eq!(window.rejecting(at(165)), [(one, at(225))]);
        assert_eq!(window.rejecting(at(9_000)), []);
        assert!(window.times.is_empty());
    }

    #[test]
    fn the_sources_are_limited() {
        let mut window = RejectionWindow::new(Duration::from_secs(60), 1);
        for id in 0..2 * MAX_SOURCES as u128 {
            window.note(SourceId::from_u128(id), at(1));
        }
        assert_eq!(window.rejecting(at(1)).len(), MAX_SOURCES);
        window.note(SourceId::from_u128(9_999), at(100));
        assert_eq!(window.rejecting(at(100)).len(), 1);
    }
}
