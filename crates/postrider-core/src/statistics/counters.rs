//! Numbers of one subject in one period.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use super::{
    fact::{FactKind, RequestResult},
    histogram::{Bucket, Histogram},
    result::{AttemptResult, Cause},
};

// The places of the numbers. They are stored, so they stay as they are.
const ACCEPTED: u8 = 0;
const FILTERED: u8 = 1;
const REQUESTS: u8 = 2;
const DUPLICATES: u8 = 3;
const REJECTED: u8 = 4;
const GIVEN_UP: u8 = 5;
const RESULTS: u8 = 16;
const DURATIONS: u8 = 64;
const ELAPSED: u8 = 96;

/// Numbers of one subject in one period. Numbers that are zero take no space. Stored as a map from
/// places to numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(
    /// In the order of the places. There are few: a map takes more time and memory.
    Vec<(u8, u64)>,
);

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CountersVisitor)
    }
}

struct CountersVisitor;

impl<'de> Visitor<'de> for CountersVisitor {
    type Value = Counters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from places to numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counters, A::Error> {
        let mut counters = Counters::default();
        while let Some((place, count)) = map.next_entry()? {
            counters.add_at(place, count);
        }
        Ok(counters)
    }
}

impl Counters {
    /// Counts equal facts.
    pub fn add(&mut self, kind: FactKind, count: u64) {
        let mut add = |place: u8| self.add_at(place, count);
        match kind {
            FactKind::Message { is_filtered } => {
                add(ACCEPTED);
                if is_filtered {
                    add(FILTERED);
                }
            },
            FactKind::Attempt { result, duration, elapsed, is_last } => {
                add(RESULTS + result.code());
                add(DURATIONS + duration.number());
                if let Some(elapsed) = elapsed {
                    add(ELAPSED + elapsed.number());
                }
                if is_last {
                    add(GIVEN_UP);
                }
            },
            FactKind::Request(RequestResult::Accepted) => add(REQUESTS),
            FactKind::Request(RequestResult::Duplicate) => add(DUPLICATES),
            FactKind::Request(RequestResult::Rejected) => add(REJECTED),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for &(place, count) in &other.0 {
            self.add_at(place, count);
        }
    }

    fn add_at(&mut self, place: u8, count: u64) {
        match self.0.binary_search_by_key(&place, |&(known, _)| known) {
            Ok(index) => {
                let number = &mut self.0[index].1;
                *number = number.saturating_add(count);
            },
            Err(index) => self.0.insert(index, (place, count)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn at(&self, place: u8) -> u64 {
        let found = self.0.binary_search_by_key(&place, |&(known, _)| known);
        found.map_or(0, |index| self.0[index].1)
    }

    /// Messages that were accepted.
    pub fn accepted(&self) -> u64 {
        self.at(ACCEPTED)
    }

    /// Messages that were accepted for no endpoint.
    pub fn filtered(&self) -> u64 {
        self.at(FILTERED)
    }

    /// Requests to sources that became messages.
    pub fn requests(&self) -> u64 {
        self.at(REQUESTS)
    }

    /// Requests to sources that repeated an event.
    pub fn duplicates(&self) -> u64 {
        self.at(DUPLICATES)
    }

    /// Requests to sources that were rejected.
    pub fn rejected(&self) -> u64 {
        self.at(REJECTED)
    }

    /// Deliveries that have failed.
    pub fn given_up(&self) -> u64 {
        self.at(GIVEN_UP)
    }

    /// Attempts that delivered their message.
    pub fn delivered(&self) -> u64 {
        self.at(RESULTS + AttemptResult::Delivered.code())
    }

    /// Attempts that failed.
    pub fn failed(&self) -> u64 {
        self.causes().map(|(_, count)| count).sum()
    }

    /// Attempts that failed for each cause, without causes that did not occur.
    pub fn causes(&self) -> impl Iterator<Item = (Cause, u64)> {
        let count = |cause| (cause, self.at(RESULTS + AttemptResult::Failed(cause).code()));
        Cause::ALL.into_iter().map(count).filter(|(_, count)| *count > 0)
    }

    /// How long attempts took.
    pub fn durations(&self) -> Histogram {
        self.histogram(DURATIONS)
    }

    /// The time from the acceptance of a message to its delivery.
    pub fn elapsed(&self) -> Histogram {
        self.histogram(ELAPSED)
    }

    fn histogram(&self, first: u8) -> Histogram {
        let last = first + Bucket::LAST.number();
        let range = self.0.iter().filter(|(place, _)| (first..=last).contains(place));
        let bucket = |&(place, count): &(u8, u64)| Some((Bucket::new(place - first)?, count));
        Histogram::new(range.filter_map(bucket).collect())
    }

    /// Attempts that failed, and requests that were rejected: what makes a subject one of the
    /// worst.
    pub fn problems(&self) -> u64 {
        self.failed().saturating_add(self.rejected())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;

    #[test]
    fn counters_are_stored_as_a_map() {
        let mut counters = Counters::default();
        counters.add(FactKind::Request(RequestResult::Rejected), 4);
        counters.add(FactKind::Message { is_filtered: true }, 300);
        let map = BTreeMap::from([(ACCEPTED, 300_u64), (FILTERED, 300), (REJECTED, 4)]);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::to_string(&counters).unwrap(), text);
        assert_eq!(serde_json::from_str::<Counters>(&text).unwrap(), counters);
    }

    #[test]
    fn facts_are_counted_by_what_they_are() {
        let mut counters = Counters::default();
        let attempt = |result, millis, elapsed: Option<u64>, is_last| FactKind::Attempt {
            result,
            duration: Bucket::of(Duration::from_millis(millis)),
            elapsed: elapsed.map(|it| Bucket::of(Duration::from_millis(it))),
            is_last,
        };
        counters.add(FactKind::Message { is_filtered: false }, 3);
        counters.add(FactKind::Message { is_filtered: true }, 2);
        counters.add(attempt(AttemptResult::Delivered, 5, Some(9), false), 3);
        counters.add(attempt(AttemptResult::Failed(Cause::Timeout), 5, None, true), 1);
        counters.add(attempt(AttemptResult::Failed(Cause::ServerError), 70, None, false), 2);
        counters.add(FactKind::Request(RequestResult::Rejected), 4);
        counters.add(FactKind::Request(RequestResult::Duplicate), 5);
        counters.add(FactKind::Request(RequestResult::Accepted), 6);
        let mut twice = counters.clone();
        twice.merge(&counters);
        for (counters, times) in [(counters, 1), (twice, 2)] {
            assert_eq!((counters.accepted(), counters.filtered()), (5 * times, 2 * times));
            assert_eq!((counters.delivered(), counters.failed()), (3 * times, 3 * times));
            let causes: Vec<_> = counters.causes().collect();
            assert_eq!(causes, [(Cause::ServerError, 2 * times), (Cause::Timeout, times)]);
            assert_eq!((counters.given_up(), counters.problems()), (times, 7 * times));
            assert_eq!((counters.rejected(), counters.duplicates()), (4 * times, 5 * times));
            assert_eq!(counters.requests(), 6 * times);
            assert_eq!(counters.durations().count(), 6 * times);
            assert_eq!(counters.elapsed().count(), 3 * times);
        }
    }
}
