//! Which run is next: a queue that shares workers fairly among owners.

use std::collections::{HashMap, VecDeque};

/// Runs that wait, with those of each owner in order and the owners taking turns.
///
/// An owner holds at most half of the space that is left, so no owner can fill the queue, and has
/// at most `per_owner` workers at a time.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    limits: QueueLimits,
    /// Owners with waiting runs; the first one is next.
    order: VecDeque<u128>,
    owners: HashMap<u128, OwnerState<T>>,
    total: Space,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) runs: usize,
    pub(crate) bytes: usize,
    /// Most runs of one owner that are carried out at a time.
    pub(crate) per_owner: usize,
}

#[derive(Debug)]
struct OwnerState<T> {
    waiting: VecDeque<Waiting<T>>,
    held: Space,
    running: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    bytes: usize,
    run: T,
}

/// Space in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Space {
    runs: usize,
    bytes: usize,
}

/// There is no space for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<T> Queue<T> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let owners = HashMap::new();
        Self { limits, order: VecDeque::new(), owners, total: Space::default() }
    }

    /// Runs that wait.
    pub(crate) const fn len(&self) -> usize {
        self.total.runs
    }

    pub(crate) fn push(&mut self, owner: u128, bytes: usize, run: T) -> Result<(), Full> {
        let held = self.owners.get(&owner).map_or_else(Space::default, |state| state.held);
        if !self.has_space(held, bytes) {
            return Err(Full);
        }
        let state = self.owners.entry(owner).or_insert_with(|| OwnerState {
            waiting: VecDeque::new(),
            held: Space::default(),
            running: 0,
        });
        if state.waiting.is_empty() {
            self.order.push_back(owner);
        }
        state.waiting.push_back(Waiting { bytes, run });
        state.held.add(bytes);
        self.total.add(bytes);
        Ok(())
    }

    fn has_space(&self, held: Space, bytes: usize) -> bool {
        let QueueLimits { runs: most_runs, bytes: most_bytes, .. } = self.limits;
        // What the owner could hold if it were the only one that adds more.
        let shared_runs = most_runs - (self.total.runs - held.runs);
        let shared_bytes = most_bytes - (self.total.bytes - held.bytes);
        let is_first = held.runs == 0;
        self.total.runs < most_runs
            && self.total.bytes + bytes <= most_bytes
            && (is_first || (held.runs < shared_runs / 2 && held.bytes + bytes <= shared_bytes / 2))
    }

    /// The next run, of the owner that was not served for the longest time.
    pub(crate) fn take(&mut self) -> Option<(u128, T)> {
        let most = self.limits.per_owner;
        let may_run = |owner: &u128| self.owners.get(owner).is_some_and(|it| it.running < most);
        let place = self.order.iter().position(may_run)?;
        let owner = self.order.remove(place)?;
        let state = self.owners.get_mut(&owner)?;
        let waiting = state.waiting.pop_front()?;
        state.running += 1;
        state.held.remove(waiting.bytes);
        self.total.remove(waiting.bytes);
        if !state.waiting.is_empty() {
            self.order.push_back(owner);
        }
        Some((owner, waiting.run))
    }

    /// Another run of an owner, out of turn, instead of one that has ended.
    pub(crate) fn take_another(&mut self, owner: u128) -> Option<T> {
        let state = self.owners.get_mut(&owner)?;
        let waiting = state.waiting.pop_front()?;
        state.held.remove(waiting.bytes);
        self.total.remove(waiting.bytes);
        if state.waiting.is_empty() {
            self.order.retain(|it| *it != owner);
        }
        Some(waiting.run)
    }

    /// A run of the owner has ended.
    pub(crate) fn finish(&mut self, owner: u128) {
        if let Some(state) = self.owners.get_mut(&owner) {
            state.running -= 1;
            if state.running == 0 && state.waiting.is_empty() {
                self.owners.remove(&owner);
            }
        }
    }

    /// Removes all runs that wait.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        self.order.clear();
        self.total = Space::default();
        let mut removed = Vec::new();
        for state in self.owners.values_mut() {
            state.held = Space::default();
            removed.extend(state.waiting.drain(..).map(|waiting| waiting.run));
        }
        removed
    }
}

impl Space {
    const fn add(&mut self, bytes: usize) {
        self.runs += 1;
        self.bytes += bytes;
    }

    const fn remove(&mut self, bytes: usize) {
        self.runs -= 1;
        self.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: QueueLimits = QueueLimits { runs: 16, bytes: 1600, per_owner: 1 };

    fn queue(runs: &[(u128, u32)]) -> Queue<u32> {
        let mut queue = Queue::new(LIMITS);
        for (owner, run) in runs {
            queue.push(*owner, 1, *run).unwrap();
        }
        queue
    }

    fn take_and_finish(queue: &mut Queue<u32>) -> Option<u32> {
        let (owner, run) = queue.take()?;
        queue.finish(owner);
        Some(run)
    }

    #[test]
    fn owners_take_turns() {
        let mut queue = queue(&[(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)]);
        let taken: Vec<_> = std::iter::from_fn(|| take_and_finish(&mut queue)).collect();
        assert_eq!(taken, [10, 20, 30, 11, 21, 12]);
        assert_eq!(queue.len(), 0);
        assert!(queue.owners.is_empty());
    }

    #[test]
    fn an_owner_has_a_limited_number_of_workers() {
        let mut queue = queue(&[(1, 10), (1, 11), (2, 20)]);
        assert_eq!(queue.take(), Some((1, 10)));
        assert_eq!(queue.take(), Some((2, 20)));
        assert_eq!(queue.take(), None);
        queue.finish(1);
        assert_eq!(queue.take(), Some((1, 11)));
    }

    #[test]
    fn another_run_of_the_owner_is_taken_out_of_turn() {
        let mut queue = queue(&[(1, 10), (2, 20), (1, 11)]);
        assert_eq!(queue.take(), Some((1, 10)));
        assert_eq!(queue.take_another(1), Some(11));
        assert_eq!(queue.take_another(1), None);
        queue.finish(1);
        assert_eq!(queue.take(), Some((2, 20)));
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn an_owner_holds_at_most_half_of_the_space_that_is_left() {
        let mut queue = queue(&[]);
        let pushed = (0..20).filter(|run| queue.push(1, 1, *run).is_ok()).count();
        assert_eq!(pushed, 8);
        let pushed = (0..20).filter(|run| queue.push(2, 1, *run).is_ok()).count();
        assert_eq!(pushed, 4);
        // Each further owner can add at least one, until the queue is full.
        let pushed = (3..20).filter(|owner| queue.push(*owner, 1, 0).is_ok()).count();
        assert_eq!(pushed, 4);
        assert_eq!(queue.len(), 16);
    }

    #[test]
    fn bytes_are_shared_by_the_same_rule() {
        let mut queue = queue(&[]);
        assert_eq!(queue.push(1, 1601, 0), Err(Full));
        assert_eq!(queue.push(1, 700, 0), Ok(()));
        assert_eq!(queue.push(1, 100, 0), Ok(()));
        assert_eq!(queue.push(1, 1, 0), Err(Full));
        assert_eq!(queue.push(2, 801, 0), Err(Full));
        assert_eq!(queue.push(2, 800, 0), Ok(()));
        assert_eq!(queue.push(3, 1, 0), Err(Full));
    }

    #[test]
    fn a_cleared_queue_is_empty_and_knows_what_runs() {
        let mut queue = queue(&[(1, 10), (1, 11), (2, 20)]);
        assert_eq!(queue.take(), Some((1, 10)));
        let mut cleared = queue.clear();
        cleared.sort_unstable();
        assert_eq!(cleared, [11, 20]);
        assert_eq!(queue.take(), None);
        queue.finish(1);
        assert!(queue.len() == 0 && !queue.owners.contains_key(&1));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_limits_hold(steps in prop::collection::vec((0_u8..4, 0_u128..4, 0_usize..300), 0..200)) {
            let mut queue = Queue::new(LIMITS);
            let (mut waiting, mut running) = (0, Vec::new());
            for (step, owner, bytes) in steps {
                match step {
                    0 | 1 => waiting += usize::from(queue.push(owner, bytes, owner).is_ok()),
                    2 => if let Some((taken, run)) = queue.take() {
                        prop_assert_eq!(taken, run);
                        prop_assert!(!running.contains(&taken));
                        running.push(taken);
                        waiting -= 1;
                    },
                    _ => if let Some(ended) = running.pop() { queue.finish(ended) },
                }
                prop_assert_eq!(queue.len(), waiting);
                prop_assert!(queue.total.runs <= LIMITS.runs && queue.total.bytes <= LIMITS.bytes);
                let idle = queue.order.iter().filter(|it| !running.contains(it)).count();
                prop_assert!(idle == 0 || queue.owners.len() >= idle);
            }
        }
    }
}
