//! Assigned numbers of one kind.

use std::{collections::HashMap, hash::Hash};

use postrider_core::hash::FastMap;

use crate::embedded::error::Inconsistency;

/// Numbers `N` of one kind and their keys `K`; `U` says when a number was used.
#[derive(Debug)]
pub(super) struct Assignments<N, K, U> {
    /// By keys that callers may choose: names of event types.
    by_key: HashMap<K, Assignment<N, U>>,
    keys: FastMap<N, K>,
    next: u32,
    /// Numbers that are not in the database yet.
    unsaved: Vec<N>,
}

#[derive(Clone, Copy, Debug)]
struct Assignment<N, U> {
    number: N,
    /// The newest commit or message that refers to the number.
    last_use: U,
    /// How many messages refer to it; unknown if it is older than the process.
    uses: Option<u64>,
}

impl<N, K, U> Default for Assignments<N, K, U> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), keys: FastMap::default(), next: 0, unsaved: Vec::new() }
    }
}

impl<N, K, U> Assignments<N, K, U>
where
    N: Copy + Eq + Hash + From<u32>,
    K: Clone + Eq + Hash,
    U: Copy + Ord + From<u64>,
{
    pub(super) fn assign(&mut self, key: &K, used: U) -> N {
        if let Some(known) = self.by_key.get_mut(key) {
            known.last_use = known.last_use.max(used);
            known.uses = known.uses.map(|uses| uses + 1);
            return known.number;
        }
        let number = N::from(self.next);
        self.next = self.next.checked_add(1).expect("there are fewer than 2^32 names");
        self.by_key.insert(key.clone(), Assignment { number, last_use: used, uses: Some(1) });
        self.keys.insert(number, key.clone());
        self.unsaved.push(number);
        number
    }

    pub(super) fn load(&mut self, integer: u32, key: K, last_use: U) {
        let number = N::from(integer);
        self.by_key.insert(key.clone(), Assignment { number, last_use, uses: None });
        self.keys.insert(number, key);
        self.next = self.next.max(integer.saturating_add(1));
    }

    pub(super) fn number(&self, key: &K) -> Option<N> {
        self.by_key.get(key).map(|known| known.number)
    }

    pub(super) fn key(&self, number: N) -> rusqlite::Result<&K> {
        self.keys.get(&number).ok_or_else(|| Inconsistency::UnknownNumber.into())
    }

    /// The assignment, unless the number is freed and its key has another one by now.
    fn current(&self, number: N) -> Option<&Assignment<N, U>> {
        self.by_key.get(self.keys.get(&number)?).filter(|known| known.number == number)
    }

    fn current_mut(&mut self, number: N) -> Option<&mut Assignment<N, U>> {
        self.by_key.get_mut(self.keys.get(&number)?).filter(|known| known.number == number)
    }

    pub(super) fn unsaved(&self) -> impl Iterator<Item = (N, &K)> {
        let assigned = |&number: &N| {
            self.current(number)?;
            Some((number, self.keys.get(&number)?))
        };
        self.unsaved.iter().filter_map(assigned)
    }

    /// If the key is used again it gets another number. Readers that found this number before
    /// can still look up its key.
    pub(super) fn free(&mut self, number: N) {
        if self.current(number).is_some()
            && let Some(key) = self.keys.get(&number)
        {
            self.by_key.remove(key);
        }
    }

    /// The transaction that freed the number failed. Its uses are unknown from now on.
    pub(super) fn restore(&mut self, number: N) {
        if let Some(key) = self.keys.get(&number) {
            let assignment = Assignment { number, last_use: U::from(u64::MAX), uses: None };
            self.by_key.entry(key.clone()).or_insert(assignment);
        }
    }

    /// The transaction that freed the number is committed.
    pub(super) fn remove(&mut self, number: N) {
        self.keys.remove(&number);
    }

    /// How many numbers are in memory, freed ones of this transaction included.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn last_use(&self, number: N) -> Option<U> {
        self.current(number).map(|known| known.last_use)
    }

    /// A message with the number is removed; `true` if no other one is known to have it.
    pub(super) fn release(&mut self, number: N) -> bool {
        let Some(known) = self.current_mut(number) else { return false };
        known.uses = known.uses.map(|uses| uses.saturating_sub(1));
        known.uses == Some(0)
    }

    /// Whether it is known that no message has the number.
    pub(super) fn is_unused(&self, number: N) -> bool {
        self.current(number).is_some_and(|known| known.uses == Some(0))
    }

    /// At most `limit` numbers that were used last before this.
    pub(super) fn used_before(&self, oldest: U, limit: usize) -> Vec<N> {
        let old = self.by_key.values().filter(|known| known.last_use < oldest);
        old.map(|known| known.number).take(limit).collect()
    }

    pub(super) const fn is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }

    /// All assignments are in the database now.
    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
    }
}
