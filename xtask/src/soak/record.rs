//! The record of what was accepted, what must arrive, and what has arrived.
//!
//! It does no I/O, and reads no clock: times are seconds since the start of the run.

use std::collections::{BTreeMap, VecDeque};

use super::{
    bits::Bits,
    ids::Ids,
    model::{Endpoint, Message, Role, endpoints},
    rate::Window,
};

/// The largest number of violations that are kept in words; the others are counted.
const KEPT_VIOLATIONS: usize = 50;

/// One in so many messages can be sent again, and each for so many seconds.
const RESENDABLE: u64 = 16;
const RESENDABLE_SECONDS: f64 = 180.0;

/// A delivery with an attempt in progress is not resent. So long after its arrival, the result of
/// the last attempt is stored.
const SETTLED_SECONDS: f64 = 20.0;

/// A paused endpoint may finish its calls for so many seconds.
const PAUSE_GRACE: f64 = 8.0;

/// What must arrive at an endpoint, and what has.
#[derive(Debug)]
struct Line {
    endpoint: Endpoint,
    /// Accepted messages that have not arrived, with the time of their acceptance.
    pending: BTreeMap<u64, f64>,
    arrived: Bits,
    /// Different messages that arrived.
    distinct: u64,
    /// Successful requests for messages that had arrived before.
    repeated: u64,
    /// Requests for messages, of which some failed.
    calls: u64,
    /// The last place in the order up to which all messages have arrived.
    in_order: u64,
    /// Of a strict rate.
    window: Option<Window>,
    paused_at: Option<f64>,
}

/// A message that was sent again to an endpoint.
#[derive(Clone, Copy, Debug)]
struct Resend {
    is_accepted: bool,
    arrivals: u32,
    at: f64,
}

/// A message that can be sent again.
#[derive(Debug)]
struct Resendable {
    index: usize,
    number: u64,
    id: String,
    accepted_at: f64,
    /// The last time.
    arrived_at: Option<f64>,
}

/// The whole record.
#[derive(Debug)]
pub(crate) struct Record {
    lines: Vec<Line>,
    ids: Ids,
    resends: BTreeMap<(usize, u64), Resend>,
    resendable: VecDeque<Resendable>,
    violations: Vec<String>,
    pub(crate) violation_count: u64,
    pub(crate) accepted: u64,
    pub(crate) resent: u64,
    /// Resent messages that arrived again.
    pub(crate) resends_arrived: u64,
}

/// Counts of an endpoint, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) distinct: u64,
    pub(crate) repeated: u64,
    pub(crate) pending: u64,
}

impl Record {
    /// An empty record; `strict_rate` is the rate of the endpoints with the role `limited`.
    pub(crate) fn new(strict_rate: u32) -> Self {
        let line = |endpoint: Endpoint| Line {
            endpoint,
            pending: BTreeMap::new(),
            arrived: Bits::default(),
            distinct: 0,
            repeated: 0,
            calls: 0,
            in_order: 0,
            window: (endpoint.role == Role::Limited).then(|| Window::new(strict_rate)),
            paused_at: None,
        };
        Self {
            lines: endpoints().into_iter().map(line).collect(),
            ids: Ids::default(),
            resends: BTreeMap::new(),
            resendable: VecDeque::new(),
            violations: Vec::new(),
            violation_count: 0,
            accepted: 0,
            resent: 0,
            resends_arrived: 0,
        }
    }

    pub(crate) fn endpoint(&self, index: usize) -> Option<Endpoint> {
        self.lines.get(index).map(|it| it.endpoint)
    }

    /// The server accepted a message under this id; without one if the response was lost.
    pub(crate) fn accept(&mut self, message: &Message, id: Option<&str>, now: f64) {
        self.accepted += 1;
        if let Some(id) = id {
            self.check_id(message.number, id);
        }
        for (index, line) in self.lines.iter_mut().enumerate() {
            if !line.endpoint.must_get(message) {
                continue;
            }
            if !line.arrived.contains(message.number) {
                line.pending.insert(message.number, now);
            }
            if let (Role::Fast, Some(id)) = (line.endpoint.role, id)
                && message.number.is_multiple_of(RESENDABLE)
            {
                self.resendable.push_back(Resendable {
                    index,
                    number: message.number,
                    id: id.to_owned(),
                    accepted_at: now,
                    arrived_at: line.arrived.contains(message.number).then_some(now),
                });
            }
        }
    }

    /// A request began. Several messages are a batch.
    pub(crate) fn begin(&mut self, index: usize, messages: &[Message], now: f64) {
        let Some(line) = self.lines.get_mut(index) else { return };
        let Endpoint { owner, role } = line.endpoint;
        let mut faults = Vec::new();
        line.calls += 1;
        for message in messages {
            if !line.endpoint.wants(message) {
                faults.push(format!("{} of {owner} got {message:?}", role.uid()));
            }
        }
        if role.is_ordered() && !is_in_order(line.in_order, messages) {
            let places: Vec<_> = messages.iter().map(|it| it.sequence).collect();
            let last = line.in_order;
            faults.push(format!("{} of {owner} got {places:?} after {last}", role.uid()));
        }
        if role == Role::Transformed && messages.iter().any(|it| !it.transformed) {
            faults.push(format!("{} of {owner} got what was not transformed", role.uid()));
        }
        if line.paused_at.is_some_and(|at| now > at + PAUSE_GRACE) {
            faults.push(format!("{} of {owner} was called while it was paused", role.uid()));
        }
        if let Some(excess) = line.window.as_mut().and_then(|it| it.call(now)) {
            faults.push(format!("{} of {owner}: {excess}", role.uid()));
        }
        for fault in faults {
            self.violate(fault);
        }
    }

    /// The receiver accepted a request.
    pub(crate) fn arrive(&mut self, index: usize, messages: &[Message], now: f64) {
        let Some(line) = self.lines.get_mut(index) else { return };
        for message in messages {
            let number = message.number;
            if line.arrived.insert(number) {
                line.distinct += 1;
                line.pending.remove(&number);
            } else {
                line.repeated += 1;
            }
            line.in_order = line.in_order.max(message.sequence);
            if let Some(resend) = self.resends.get_mut(&(index, number)) {
                resend.arrivals += 1;
            }
            if number.is_multiple_of(RESENDABLE) {
                let is_same = |it: &&mut Resendable| it.number == number && it.index == index;
                if let Some(resendable) = self.resendable.iter_mut().find(is_same) {
                    resendable.arrived_at = Some(now);
                }
            }
        }
        self.forget_arrived_resends();
    }

    /// The id under which a message arrived.
    pub(crate) fn check_id(&mut self, number: u64, id: &str) {
        if !self.ids.is_same(number, id) {
            self.violate(format!("message {number} was stored twice, the second time as {id}"));
        }
    }

    /// A message that has arrived and can be sent again: its endpoint, number and id. Its further
    /// arrivals are counted from now on.
    pub(crate) fn choose_resend(&mut self, draw: u64, now: f64) -> Option<(usize, u64, String)> {
        let is_old = |it: &Resendable| now - it.accepted_at > RESENDABLE_SECONDS;
        while self.resendable.front().is_some_and(is_old) {
            self.resendable.pop_front();
        }
        let is_settled = |it: &&Resendable| {
            let is_idle = !self.resends.contains_key(&(it.index, it.number));
            is_idle && it.arrived_at.is_some_and(|at| now - at > SETTLED_SECONDS)
        };
        let settled: Vec<_> = self.resendable.iter().filter(is_settled).collect();
        let place = draw.checked_rem(settled.len() as u64)?;
        let Resendable { index, number, ref id, .. } = *settled[usize::try_from(place).ok()?];
        let id = id.clone();
        let resend = Resend { is_accepted: false, arrivals: 0, at: now };
        self.resends.insert((index, number), resend);
        Some((index, number, id))
    }

    /// The server accepted the resend, or not for certain.
    pub(crate) fn resend_ended(&mut self, index: usize, number: u64, is_accepted: bool) {
        if is_accepted {
            self.resent += 1;
            if let Some(resend) = self.resends.get_mut(&(index, number)) {
                resend.is_accepted = true;
            }
            self.forget_arrived_resends();
        } else {
            self.resends.remove(&(index, number));
        }
    }

    fn forget_arrived_resends(&mut self) {
        let before = self.resends.len();
        self.resends.retain(|_, it| !it.is_accepted || it.arrivals == 0);
        self.resends_arrived += (before - self.resends.len()) as u64;
    }

    /// An endpoint is paused from now on, or no longer.
    pub(crate) fn set_paused(&mut self, index: usize, paused_at: Option<f64>) {
        if let Some(line) = self.lines.get_mut(index) {
            line.paused_at = paused_at;
        }
    }

    /// The server was started again, so it counts the calls of rates again.
    pub(crate) fn restarted(&mut self) {
        self.lines.iter_mut().filter_map(|it| it.window.as_mut()).for_each(Window::clear);
    }

    pub(crate) fn violate(&mut self, what: String) {
        self.violation_count += 1;
        if self.violations.len() < KEPT_VIOLATIONS {
            self.violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Deliveries that must still arrive, with resends.
    pub(crate) fn pending(&self) -> u64 {
        let pending = self.lines.iter().map(|it| it.pending.len()).sum::<usize>();
        let resends = self.resends.values().filter(|it| it.is_accepted).count();
        (pending + resends) as u64
    }

    /// How long the oldest pending delivery has waited.
    pub(crate) fn oldest_pending(&self, now: f64) -> f64 {
        let pending = self.lines.iter().filter_map(|it| it.pending.first_key_value());
        let resends = self.resends.values().filter(|it| it.is_accepted).map(|it| it.at);
        pending.map(|it| *it.1).chain(resends).map(|at| now - at).fold(0.0, f64::max)
    }

    /// Counts by role, of all applications.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let mut all: BTreeMap<_, Counts> = BTreeMap::new();
        for line in &self.lines {
            let counts = all.entry(line.endpoint.role.uid()).or_default();
            counts.calls += line.calls;
            counts.distinct += line.distinct;
            counts.repeated += line.repeated;
            counts.pending += line.pending.len() as u64;
        }
        all
    }

    /// Reports what has not arrived as lost. The server cancels a delivery whose payload it has kept
    /// for so many seconds: then the delivery was late, before it was lost.
    pub(crate) fn close(&mut self, now: f64, retention: f64) {
        let mut lost = Vec::new();
        let cause = |at: f64| {
            let is_expired = now - at > retention;
            if is_expired { ", pending for longer than its payload was kept" } else { "" }
        };
        for line in &self.lines {
            let Endpoint { owner, role } = line.endpoint;
            let name = role.uid();
            lost.extend(line.pending.iter().map(|(number, at)| {
                let (ago, cause) = (now - at, cause(*at));
                format!("{name} of {owner}: message {number} was lost, {ago:.0} s ago{cause}")
            }));
        }
        let resends = self.resends.iter().filter(|it| it.1.is_accepted);
        lost.extend(resends.map(|((_, number), _)| format!("resent message {number} was lost")));
        for it in lost {
            self.violate(it);
        }
    }
}

/// Whether these messages may be sent when all up to `last` have arrived: they follow one another,
/// and the first one is the next, or is repeated.
fn is_in_order(last: u64, messages: &[Message]) -> bool {
    let follows = messages.windows(2).all(|it| it[1].sequence == it[0].sequence + 1);
    follows && messages.first().is_none_or(|first| first.sequence <= last + 1)
}

#[cfg(test)]
mod tests;
