//! What the commit thread keeps in memory: who holds what, and which endpoint is due when.
//!
//! All of it can be made anew from the database. It changes together with the database: each
//! change notes how to undo it, until the transaction is committed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postrider::{ApplicationId, EndpointId};
use postrider_core::{delivery::ResendMode, retry::RetryPlan, time::Timestamp};

/// A delivery that was appended leased and never settled: it has no row of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) until: u64,
    pub(super) due_at: u64,
}

/// A lease on a row of `pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) until: u64,
    pub(super) waiting: Waiting,
}

/// A row of `pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) endpoint: u32,
    pub(super) free_at: u64,
    pub(super) message: u64,
    pub(super) attempt: u16,
    pub(super) manual: bool,
    pub(super) retry_plan: RetryPlan,
    pub(super) reported: bool,
    /// It has a place in the order of its endpoint.
    pub(super) in_order: bool,
}

impl Waiting {
    /// As it is when the message was just accepted.
    pub(super) const fn first(message: u64, endpoint: u32, free_at: u64) -> Self {
        Self {
            endpoint,
            free_at,
            message,
            attempt: 1,
            manual: false,
            retry_plan: RetryPlan::Schedule,
            reported: false,
            in_order: false,
        }
    }

    /// As it waits after a failed attempt that another one follows; see
    /// [`postrider_core::delivery::Delivery::after_failure`].
    pub(super) const fn after_failure(self, free_at: u64, reported: bool) -> Self {
        let attempt = self.retry_plan.next_attempt(self.attempt);
        Self { free_at, attempt, manual: false, retry_plan: RetryPlan::Schedule, reported, ..self }
    }

    /// As it waits after a request to send it again; see
    /// [`postrider_core::delivery::Delivery::resent`].
    pub(super) fn resent(self, mode: ResendMode, at: u64) -> Self {
        match mode {
            ResendMode::Once => {
                let due_at = Timestamp::from_millis(self.free_at);
                let (free_at, in_order) = (at, false);
                let retry_plan = self.retry_plan.interrupted(due_at);
                Self { free_at, in_order, manual: true, retry_plan, ..self }
            },
            ResendMode::Retry => Self::requested(self.message, self.endpoint, (mode, at)),
        }
    }

    /// As it is sent again after it has ended, or if it never was.
    pub(super) const fn requested(
        message: u64,
        endpoint: u32,
        (mode, at): (ResendMode, u64),
    ) -> Self {
        let retry_plan = match mode {
            ResendMode::Once => RetryPlan::Once,
            ResendMode::Retry => RetryPlan::Schedule,
        };
        Self { manual: true, retry_plan, ..Self::first(message, endpoint, at) }
    }
}

/// The deliveries of one endpoint that have rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) endpoint: EndpointId,
    pub(super) application: ApplicationId,
    due: Due,
    /// Its endpoint is disabled: nothing is offered, whatever is due.
    is_paused: bool,
}

impl Lane {
    /// When it has something to offer.
    fn first_due(&self) -> Option<u64> {
        self.due.first().filter(|_| !self.is_paused)
    }
}

/// When a lane has something to offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    /// When the first that nobody holds falls due, of those that have no place in an order.
    next: Option<u64>,
    /// When the first of the order falls due, if nobody holds it.
    head: Option<u64>,
}

impl Due {
    fn first(self) -> Option<u64> {
        self.next.into_iter().chain(self.head).min()
    }
}

#[derive(Debug)]
enum Undo {
    Fresh((u64, u32), Option<Fresh>),
    Held((u32, u64), Option<Held>),
    Due(u32, Due),
    Paused(u32, bool),
    Lane(u32),
    LaneGone(u32, Lane),
    Rows(u64),
    Running([u8; 32], Option<[u8; 32]>),
}

#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// By message and endpoint, so that the oldest is the first.
    fresh: BTreeMap<(u64, u32), Fresh>,
    /// By endpoint and message.
    held: BTreeMap<(u32, u64), Held>,
    /// How many leases of both kinds end when.
    leases: BTreeMap<u64, u32>,
    lanes: HashMap<u32, Lane>,
    /// Lanes by when they are due.
    due: BTreeSet<(u64, EndpointId, u32)>,
    /// Rows of `pending`.
    rows: u64,
    /// Idempotency keys in use, with the fingerprints of their requests.
    running: HashMap<[u8; 32], [u8; 32]>,
    undo: Vec<Undo>,
}

impl Holdings {
    pub(super) fn fresh(&self, message: u64, endpoint: u32) -> Option<Fresh> {
        self.fresh.get(&(message, endpoint)).copied()
    }

    pub(super) fn all_fresh(&self) -> impl Iterator<Item = ((u64, u32), Fresh)> {
        self.fresh.iter().map(|(&key, &fresh)| (key, fresh))
    }

    pub(super) fn fresh_of(&self, message: u64) -> Vec<u32> {
        self.fresh.range((message, 0)..=(message, u32::MAX)).map(|(&(_, it), _)| it).collect()
    }

    pub(super) fn oldest_fresh(&self) -> Option<u64> {
        self.fresh.first_key_value().map(|(&(message, _), _)| message)
    }

    pub(super) fn set_fresh(&mut self, key: (u64, u32), fresh: Option<Fresh>) {
        let before = self.put_fresh(key, fresh);
        self.undo.push(Undo::Fresh(key, before));
    }

    fn put_fresh(&mut self, key: (u64, u32), fresh: Option<Fresh>) -> Option<Fresh> {
        let before = match fresh {
            Some(fresh) => self.fresh.insert(key, fresh),
            None => self.fresh.remove(&key),
        };
        self.count(before.map(|it| it.until), fresh.map(|it| it.until));
        before
    }

    pub(super) fn held(&self, endpoint: u32, message: u64) -> Option<Held> {
        self.held.get(&(endpoint, message)).copied()
    }

    pub(super) fn all_held(&self) -> impl Iterator<Item = Held> {
        self.held.values().copied()
    }

    pub(super) fn held_of(&self, endpoint: u32) -> impl Iterator<Item = Held> {
        self.held.range((endpoint, 0)..=(endpoint, u64::MAX)).map(|(_, &held)| held)
    }

    pub(super) fn set_held(&mut self, key: (u32, u64), held: Option<Held>) {
        let before = self.put_held(key, held);
        self.undo.push(Undo::Held(key, before));
    }

    fn put_held(&mut self, key: (u32, u64), held: Option<Held>) -> Option<Held> {
        let before = match held {
            Some(held) => self.held.insert(key, held),
            None => self.held.remove(&key),
        };
        self.count(before.map(|it| it.until), held.map(|it| it.until));
        before
    }

    fn count(&mut self, before: Option<u64>, after: Option<u64>) {
        if let Some(until) = after {
            *self.leases.entry(until).or_default() += 1;
        }
        let Some(until) = before else { return };
        let left = self.leases.get_mut(&until).expect("every lease is counted");
        *left -= 1;
        if *left == 0 {
            self.leases.remove(&until);
        }
    }

    /// When the first lease runs out.
    pub(super) fn first_lease_end(&self) -> Option<u64> {
        self.leases.first_key_value().map(|(&until, _)| until)
    }

    pub(super) fn knows_lane(&self, endpoint: u32) -> bool {
        self.lanes.contains_key(&endpoint)
    }

    /// A lane that has nothing yet.
    pub(super) fn add_lane(&mut self, number: u32, endpoint: EndpointId, of: ApplicationId) {
        let (application, due) = (of, Due::default());
        self.lanes.insert(number, Lane { endpoint, application, due, is_paused: false });
        self.undo.push(Undo::Lane(number));
    }

    /// Nothing refers to the lane any more.
    pub(super) fn remove_lane(&mut self, number: u32) {
        if self.lanes.contains_key(&number) {
            self.set_due(number, Due::default());
            if let Some(lane) = self.lanes.remove(&number) {
                self.undo.push(Undo::LaneGone(number, lane));
            }
        }
    }

    pub(super) fn is_paused(&self, endpoint: u32) -> bool {
        self.lanes.get(&endpoint).is_some_and(|lane| lane.is_paused)
    }

    /// Offers nothing of the lane, or something again.
    pub(super) fn set_paused(&mut self, endpoint: u32, is_paused: bool) {
        let before = self.put_paused(endpoint, is_paused);
        self.undo.push(Undo::Paused(endpoint, before));
    }

    fn put_paused(&mut self, endpoint: u32, is_paused: bool) -> bool {
        self.change_lane(endpoint, |lane| std::mem::replace(&mut lane.is_paused, is_paused))
    }

    pub(super) fn lane(&self, endpoint: u32) -> Lane {
        *self.lanes.get(&endpoint).expect("a lane with rows is known")
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (u32, &Lane)> {
        self.lanes.iter().map(|(&number, lane)| (number, lane))
    }

    /// Lanes in the order in which they fall due.
    pub(super) fn due(&self) -> impl Iterator<Item = (u64, u32)> {
        self.due.iter().map(|&(next, _, number)| (next, number))
    }

    pub(super) fn next(&self, endpoint: u32) -> Option<u64> {
        self.lanes.get(&endpoint).and_then(|lane| lane.due.next)
    }

    pub(super) fn set_next(&mut self, endpoint: u32, next: Option<u64>) {
        self.set_due(endpoint, Due { next, ..self.lane(endpoint).due });
    }

    pub(super) fn head(&self, endpoint: u32) -> Option<u64> {
        self.lanes.get(&endpoint).and_then(|lane| lane.due.head)
    }

    pub(super) fn set_head(&mut self, endpoint: u32, head: Option<u64>) {
        self.set_due(endpoint, Due { head, ..self.lane(endpoint).due });
    }

    fn set_due(&mut self, endpoint: u32, due: Due) {
        let before = self.put_due(endpoint, due);
        if before != due {
            self.undo.push(Undo::Due(endpoint, before));
        }
    }

    /// The lane has something due then, if not earlier.
    pub(super) fn hasten(&mut self, endpoint: u32, at: u64) {
        if self.next(endpoint).is_none_or(|next| at < next) {
            self.set_next(endpoint, Some(at));
        }
    }

    fn put_due(&mut self, endpoint: u32, due: Due) -> Due {
        self.change_lane(endpoint, |lane| std::mem::replace(&mut lane.due, due))
    }

    /// Changes a lane, and puts it where that wants it.
    fn change_lane<T>(&mut self, endpoint: u32, change: impl FnOnce(&mut Lane) -> T) -> T {
        let lane = self.lanes.get_mut(&endpoint).expect("a lane with rows is known");
        let before = lane.first_due();
        let result = change(lane);
        let (id, after) = (lane.endpoint, lane.first_due());
        if before != after {
            before.map(|before| self.due.remove(&(before, id, endpoint)));
            after.map(|after| self.due.insert((after, id, endpoint)));
        }
        result
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn set_rows(&mut self, rows: u64) {
        self.undo.push(Undo::Rows(self.rows));
        self.rows = rows;
    }

    pub(super) fn held_count(&self) -> u64 {
        self.held.len() as u64
    }

    pub(super) fn running(&self, key: &[u8; 32]) -> Option<[u8; 32]> {
        self.running.get(key).copied()
    }

    pub(super) fn set_running(&mut self, key: [u8; 32], fingerprint: Option<[u8; 32]>) {
        let before = self.put_running(key, fingerprint);
        self.undo.push(Undo::Running(key, before));
    }

    fn put_running(&mut self, key: [u8; 32], fingerprint: Option<[u8; 32]>) -> Option<[u8; 32]> {
        match fingerprint {
            Some(fingerprint) => self.running.insert(key, fingerprint),
            None => self.running.remove(&key),
        }
    }

    /// A place to come back to by [`Self::undo_to`].
    pub(super) const fn mark(&self) -> usize {
        self.undo.len()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        for undo in self.undo.split_off(mark).into_iter().rev() {
            match undo {
                Undo::Fresh(key, before) => {
                    self.put_fresh(key, before);
                },
                Undo::Held(key, before) => {
                    self.put_held(key, before);
                },
                Undo::Due(endpoint, before) => {
                    self.put_due(endpoint, before);
                },
                Undo::Paused(endpoint, before) => {
                    self.put_paused(endpoint, before);
                },
                Undo::Lane(endpoint) => {
                    self.lanes.remove(&endpoint);
                },
                Undo::LaneGone(endpoint, lane) => {
                    self.lanes.insert(endpoint, lane);
                },
                Undo::Rows(before) => self.rows = before,
                Undo::Running(key, before) => {
                    self.put_running(key, before);
                },
            }
        }
    }

    /// The transaction is committed: nothing is undone any more.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }
}
