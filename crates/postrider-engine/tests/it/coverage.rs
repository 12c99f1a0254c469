//! What simulated histories contained: faults that were injected, and rare states that were reached.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What can be counted. A run over many seeds has to reach all of it but what is rare.
pub(crate) const EXPECTED: [&str; 23] = [
    "fault: call timed out",
    "fault: node cut off from the store",
    "fault: node killed",
    "fault: node suspended",
    "fault: response 429",
    "fault: response 500",
    "fault: store call refused",
    "event: call by another node than before",
    "event: delivery repeated after a success",
    "event: endpoint changed under load",
    "event: endpoint disabled under load",
    "event: lease expired with deliveries",
    "event: lease renewed in a new epoch",
    "event: node killed between a response and its settlement",
    "event: node killed before a first attempt",
    "event: node killed during a call",
    "event: node suspended during a call",
    "event: node stopped",
    "event: polling client left without a commit",
    "event: publish refused",
    "event: several deliveries in one call",
    "rare: delivery in flight on two nodes",
    "rare: success recorded after the delivery was taken over",
];

/// Counts of one history, or of many.
#[derive(Debug, Default)]
pub(crate) struct Coverage(Mutex<BTreeMap<&'static str, u64>>);

impl Coverage {
    pub(crate) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &'static str, times: u64) {
        assert!(EXPECTED.contains(&what), "{what} is not listed");
        if times > 0 {
            *self.lock().entry(what).or_default() += times;
        }
    }

    pub(crate) fn include(&self, other: &Self) {
        for (what, times) in &*other.lock() {
            self.add(what, *times);
        }
    }

    /// All counts; those of what did not happen are zero.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.lock();
        EXPECTED.iter().map(|what| (*what, counts.get(what).copied().unwrap_or(0))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
