//! Which of many keys get one of a few places, such as metrics of their own.

use std::{collections::HashMap, hash::Hash, time::Duration};

use crate::time::Timestamp;

/// A limited number of places. A key keeps its place until it has not been used for a while, so that
/// the places do not change hands when more keys are in use than there are places.
#[derive(Clone, Debug)]
pub struct Slots<K> {
    capacity: usize,
    idle_timeout: Duration,
    used_at: HashMap<K, Timestamp>,
    swept_at: Timestamp,
}

/// What a use of a key results in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotUse<K> {
    /// The key has a place.
    pub is_held: bool,
    /// Keys that have lost theirs.
    pub freed: Vec<K>,
}

impl<K: Clone + Eq + Hash> Slots<K> {
    pub fn new(capacity: usize, idle_timeout: Duration) -> Self {
        Self { capacity, idle_timeout, used_at: HashMap::new(), swept_at: Timestamp::default() }
    }

    /// Notes that the key is used, and gives it a place if there is one.
    pub fn note(&mut self, key: &K, now: Timestamp) -> SlotUse<K> {
        if let Some(used_at) = self.used_at.get_mut(key) {
            *used_at = now;
            return SlotUse { is_held: true, freed: Vec::new() };
        }
        let mut freed = Vec::new();
        if self.used_at.len() >= self.capacity {
            freed = self.sweep(now);
        }
        let is_held = self.used_at.len() < self.capacity;
        if is_held {
            self.used_at.insert(key.clone(), now);
        }
        SlotUse { is_held, freed }
    }

    /// Whether the key has a place.
    pub fn contains(&self, key: &K) -> bool {
        self.used_at.contains_key(key)
    }

    /// Frees the places that were not used lately. It looks at all of them, so it does that at most
    /// once in a tenth of the timeout.
    fn sweep(&mut self, now: Timestamp) -> Vec<K> {
        if now.since(self.swept_at) < self.idle_timeout / 10 {
            return Vec::new();
        }
        self.swept_at = now;
        let idle = |used_at: &Timestamp| now.since(*used_at) >= self.idle_timeout;
        let freed: Vec<K> =
            self.used_at.iter().filter(|(_, at)| idle(at)).map(|(key, _)| key.clone()).collect();
        for key in &freed {
            self.used_at.remove(key);
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_place_is_kept_until_it_is_idle() {
        let mut slots = Slots::new(2, Duration::from_secs(100));
        for (key, now, is_held, freed) in [
            ('a', 100, true, vec![]),
            ('b', 101, true, vec![]),
            ('c', 102, false, vec![]),
            ('b', 150, true, vec![]),
            // Looked at a moment ago: not again.
            ('c', 111, false, vec![]),
            ('c', 205, true, vec!['a']),
            ('a', 206, false, vec![]),
            ('d', 260, true, vec!['b']),
        ] {
            let used = slots.note(&key, at(now));
            assert_eq!(used, SlotUse { is_held, freed }, "{key} {now}");
            assert_eq!(slots.contains(&key), is_held, "{key} {now}");
        }
        assert!(!Slots::new(0, Duration::ZERO).note(&'a', at(1)).is_held);
    }

    proptest! {
        #[test]
        fn there_are_never_more_holders_than_places(
            uses in prop::collection::vec((0_u8..20, 0_u64..50), 1..200),
            capacity in 0_usize..6,
        ) {
            let mut slots = Slots::new(capacity, Duration::from_secs(30));
            let mut held = std::collections::HashSet::new();
            let mut now = 1_000;
            for (key, pause) in uses {
                now += pause;
                let used = slots.note(&key, at(now));
                for key in &used.freed {
                    prop_assert!(held.remove(key), "only what had a place can lose it");
                }
                if used.is_held {
                    held.insert(key);
                }
                prop_assert!(held.len() <= capacity);
                prop_assert!(held.iter().all(|it| slots.contains(it)));
            }
        }
    }
}
