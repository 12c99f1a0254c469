//! Decides which lookup may start, so that every group gets a fair share.
//!
//! A name waits in the queue of its group and zone. A slot goes to the group with the fewest lookups
//! in flight, within it to the zone with the fewest, and there to the name that has waited longest.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use postrider_core::names::{self, Load};
use tokio::sync::oneshot;

use crate::sender::origin::LookupGroup;

#[derive(Debug)]
pub(super) struct Admission {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    tickets: u64,
    groups: HashMap<LookupGroup, GroupLoad>,
    /// Calls that wait for each name.
    waiters: HashMap<Arc<str>, Vec<Waiter>>,
}

#[derive(Debug, Default)]
struct GroupLoad {
    in_flight: usize,
    zones: HashMap<Box<str>, Zone>,
}

#[derive(Debug, Default)]
struct Zone {
    in_flight: usize,
    queue: VecDeque<Queued>,
}

/// A name that waits. It is in a queue at most once.
#[derive(Debug)]
struct Queued {
    ticket: u64,
    host: Arc<str>,
}

#[derive(Debug)]
struct Waiter {
    group: LookupGroup,
    reply: oneshot::Sender<Option<Arc<Slot>>>,
}

/// A reply to a waiter, sent after the state is unlocked.
type Grant = (oneshot::Sender<Option<Arc<Slot>>>, Option<Arc<Slot>>);

/// The permission to look up one name, returned when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    admission: Arc<Admission>,
    group: LookupGroup,
    zone: Box<str>,
}

impl Admission {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, state: Mutex::default() })
    }

    /// Waits until the name may be looked up; `None` if another call has started to.
    pub(super) async fn enter(
        self: &Arc<Self>,
        group: LookupGroup,
        host: &str,
    ) -> Option<Arc<Slot>> {
        let waiting = match self.try_enter(group, host) {
            Ok(slot) => return Some(slot),
            Err(waiting) => waiting,
        };
        waiting.await.unwrap_or_default()
    }

    fn try_enter(
        self: &Arc<Self>,
        group: LookupGroup,
        host: &str,
    ) -> Result<Arc<Slot>, oneshot::Receiver<Option<Arc<Slot>>>> {
        let mut state = self.lock();
        let zone = names::zone(host);
        if state.may_begin(self.capacity, group, zone) {
            state.begin(group, zone);
            return Ok(Arc::new(Slot { admission: Arc::clone(self), group, zone: zone.into() }));
        }
        let (reply, waiting) = oneshot::channel();
        state.wait(group, host, reply);
        Err(waiting)
    }

    /// Notifies all that wait for this name that its lookup has started.
    pub(super) fn announce(&self, host: &str) {
        let waiters = self.lock().waiters.remove(host).unwrap_or_default();
        send_grants(waiters.into_iter().map(|it| (it.reply, None)));
    }

    fn release(self: &Arc<Self>, group: LookupGroup, zone: &str) {
        let mut grants = Vec::new();
        let mut state = self.lock();
        state.end(group, zone);
        while let Some((group, zone, host)) = state.next(self.capacity) {
            let waiters = state.take(group, &host);
            if waiters.is_empty() {
                continue;
            }
            state.begin(group, &zone);
            let slot = Arc::new(Slot { admission: Arc::clone(self), group, zone });
            grants.extend(waiters.into_iter().map(|it| (it.reply, Some(Arc::clone(&slot)))));
        }
        drop(state);
        send_grants(grants);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send_grants(grants: impl IntoIterator<Item = Grant>) {
    for (reply, slot) in grants {
        // The call may have ended; a slot that is not taken is returned.
        drop(reply.send(slot));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.release(self.group, &self.zone);
    }
}

impl State {
    /// Whether a lookup may start. Names that are waiting already go first.
    fn may_begin(&self, capacity: usize, group: LookupGroup, zone: &str) -> bool {
        let in_group = self.groups.get(&group);
        let in_zone = in_group.and_then(|it| it.zones.get(zone));
        let load = Load {
            total: self.total,
            group: in_group.map_or(0, |it| it.in_flight),
            zone: in_zone.map_or(0, |it| it.in_flight),
        };
        in_zone.is_none_or(|it| it.queue.is_empty()) && names::may_begin(capacity, load)
    }

    fn begin(&mut self, group: LookupGroup, zone: &str) {
        self.total += 1;
        let load = self.groups.entry(group).or_default();
        load.in_flight += 1;
        load.zone(zone).in_flight += 1;
    }

    fn end(&mut self, group: LookupGroup, zone: &str) {
        self.total -= 1;
        let Some(load) = self.groups.get_mut(&group) else { return };
        load.in_flight -= 1;
        load.zone(zone).in_flight -= 1;
        self.forget(group, zone);
    }

    /// Drops the counters of zones and groups without lookups.
    fn forget(&mut self, group: LookupGroup, zone: &str) {
        let Some(load) = self.groups.get_mut(&group) else { return };
        if load.zones.get(zone).is_some_and(|it| it.in_flight == 0 && it.queue.is_empty()) {
            load.zones.remove(zone);
        }
        if load.zones.is_empty() {
            self.groups.remove(&group);
        }
    }

    fn wait(&mut self, group: LookupGroup, host: &str, reply: oneshot::Sender<Option<Arc<Slot>>>) {
        let host: Arc<str> = Arc::from(host);
        let queue = &mut self.groups.entry(group).or_default().zone(names::zone(&host)).queue;
        let waiters = self.waiters.entry(Arc::clone(&host)).or_default();
        waiters.retain(|it| !it.reply.is_closed());
        // It may be in the queue although the calls that waited for it have ended.
        if !queue.iter().any(|it| it.host == host) {
            self.tickets += 1;
            queue.push_back(Queued { ticket: self.tickets, host });
        }
        waiters.push(Waiter { group, reply });
    }

    /// Removes the name that may be looked up next from its queue.
    fn next(&mut self, capacity: usize) -> Option<(LookupGroup, Box<str>, Arc<str>)> {
        let total = self.total;
        let groups = self.groups.iter();
        let waiting = groups.flat_map(|(group, in_group)| {
            in_group.zones.iter().filter_map(move |(name, zone)| {
                let first = zone.queue.front()?;
                let load = Load { total, group: in_group.in_flight, zone: zone.in_flight };
                let rank = (in_group.in_flight, zone.in_flight, first.ticket);
                names::may_begin(capacity, load).then_some((rank, *group, name))
            })
        });
        let (_, group, zone) = waiting.min_by_key(|(rank, ..)| *rank)?;
        let zone = zone.clone();
        let queued = self.groups.get_mut(&group)?.zone(&zone).queue.pop_front()?;
        self.forget(group, &zone);
        Some((group, zone, queued.host))
    }

    /// The calls of a group that still wait for a name.
    fn take(&mut self, group: LookupGroup, host: &str) -> Vec<Waiter> {
        let Some(waiters) = self.waiters.get_mut(host) else { return Vec::new() };
        let taken = waiters.extract_if(.., |it| it.group == group || it.reply.is_closed());
        let open = taken.filter(|it| !it.reply.is_closed()).collect();
        if waiters.is_empty() {
            self.waiters.remove(host);
        }
        open
    }
}

impl GroupLoad {
    fn zone(&mut self, name: &str) -> &mut Zone {
        self.zones.entry(name.into()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use postrider::ApplicationId;

    use super::*;

    fn group(number: u128) -> LookupGroup {
        LookupGroup::Application(ApplicationId::from_u128(number))
    }

    type Waiting = oneshot::Receiver<Option<Arc<Slot>>>;

    /// Asks for slots for a number of names of a zone.
    fn ask(
        admission: &Arc<Admission>,
        group: LookupGroup,
        zone: &str,
        count: usize,
    ) -> (Vec<Arc<Slot>>, Vec<Waiting>) {
        let names = (0..count).map(|index| format!("{index}.{zone}"));
        let (mut slots, mut waiting) = (Vec::new(), Vec::new());
        for name in names {
            match admission.try_enter(group, &name) {
                Ok(slot) => slots.push(slot),
                Err(it) => waiting.push(it),
            }
        }
        (slots, waiting)
    }

    fn granted(waiting: &mut [Waiting]) -> Vec<Arc<Slot>> {
        waiting.iter_mut().filter_map(|it| it.now_or_never()?.ok().flatten()).collect()
    }

    #[test]
    fn many_lookups_leave_slots_for_others_and_continue_as_they_end() {
        let admission = Admission::new(16);
        let (mut dead, mut waiting) = ask(&admission, group(1), "dead.test", 100);
        assert_eq!((dead.len(), waiting.len()), (4, 96));
        let (live, none) = ask(&admission, group(1), "live.test", 2);
        assert_eq!((live.len(), none.len()), (2, 0), "another zone of the same application");
        let (others, none) = ask(&admission, group(2), "other.test", 2);
        assert_eq!((others.len(), none.len()), (2, 0), "another application");
        drop((live, others));
        dead.pop();
        let next = granted(&mut waiting);
        assert_eq!(next.len(), 1, "the name that has waited longest");
        drop(waiting);
        drop((dead, next));
        let state = admission.lock();
        assert_eq!((state.total, state.groups.len()), (0, 0));
    }

    #[test]
    fn a_slot_is_shared_by_all_that_wait_for_a_name_and_others_are_notified() {
        let admission = Admission::new(1);
        let slot = admission.try_enter(group(1), "a.test").unwrap();
        let mut same: Vec<_> =
            (0..3).map(|_| admission.try_enter(group(1), "b.test").unwrap_err()).collect();
        let held = admission.try_enter(group(2), "x.other").unwrap();
        let mut foreign = admission.try_enter(group(2), "b.test").unwrap_err();
        drop(slot);
        let slots = granted(&mut same);
        assert_eq!(slots.len(), 3);
        assert!(slots.iter().all(|it| Arc::ptr_eq(it, &slots[0])));
        assert!((&mut foreign).now_or_never().is_none());
        admission.announce("b.test");
        assert!(foreign.now_or_never().unwrap().unwrap().is_none());
        drop((slots, held));
        assert_eq!(admission.lock().groups.len(), 0);
    }

    #[test]
    fn calls_that_ended_take_no_slot() {
        let admission = Admission::new(1);
        let slot = admission.try_enter(group(1), "a.test").unwrap();
        for index in 0..1_000 {
            drop(admission.try_enter(group(1), &format!("{index}.test")).unwrap_err());
        }
        let mut last = vec![admission.try_enter(group(1), "last.test").unwrap_err()];
        drop(slot);
        assert_eq!(granted(&mut last).len(), 1);
        assert_eq!(admission.lock().waiters.len(), 0);
    }
}
