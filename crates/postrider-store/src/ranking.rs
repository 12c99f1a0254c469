//! The subjects with the most problems.

use std::{cmp::Reverse, collections::BTreeMap};

use postrider_core::statistics::{Counters, Subject};

/// Adds numbers up by subject, and orders the subjects by their problems.
#[derive(Debug, Default)]
pub(crate) struct Ranking(BTreeMap<Subject, Counters>);

impl Ranking {
    pub(crate) fn add(&mut self, subject: Subject, counters: &Counters) {
        self.0.entry(subject).or_default().merge(counters);
    }

    /// The worst first; of two that are equally bad, the older one.
    pub(crate) fn worst(
        self,
        mut admits: impl FnMut(&Subject) -> bool,
        limit: usize,
    ) -> Vec<(Subject, Counters)> {
        let mut all: Vec<_> = self.0.into_iter().filter(|(_, it)| it.problems() > 0).collect();
        all.sort_by_key(|(_, counters)| Reverse(counters.problems()));
        all.into_iter().filter(|(subject, _)| admits(subject)).take(limit).collect()
    }
}
