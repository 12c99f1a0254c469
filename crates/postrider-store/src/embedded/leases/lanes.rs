//! Lanes: when each endpoint has a delivery due that a claim can lease.

use std::collections::BTreeSet;

use postrider::{ApplicationId, EndpointId};
use postrider_core::{hash::FastMap, time::Timestamp};

use crate::embedded::number::EndpointNumber;

/// The deliveries of one endpoint that have rows.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Lane {
    pub(in crate::embedded) endpoint: EndpointId,
    pub(in crate::embedded) application: ApplicationId,
    pub(super) due: LaneDue,
    /// The endpoint is disabled: nothing is offered to claims.
    pub(super) is_paused: bool,
}

impl Lane {
    pub(super) fn new(endpoint: EndpointId, application: ApplicationId) -> Self {
        Self { endpoint, application, due: LaneDue::default(), is_paused: false }
    }

    /// When the lane has a delivery to offer.
    fn first_due(&self) -> Option<Timestamp> {
        self.due.first().filter(|_| !self.is_paused)
    }
}

/// When a lane has a delivery to offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LaneDue {
    /// When the first unordered delivery without a lease is due.
    pub(super) unordered: Option<Timestamp>,
    /// When the first ordered delivery is due, unless it is leased: the others wait for it.
    pub(super) head: Option<Timestamp>,
}

impl LaneDue {
    fn first(self) -> Option<Timestamp> {
        self.unordered.into_iter().chain(self.head).min()
    }
}

/// A lane's position among those that have something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DueLane {
    at: Timestamp,
    /// Breaks ties in the same way in every store.
    id: EndpointId,
    number: EndpointNumber,
}

#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_number: FastMap<EndpointNumber, Lane>,
    /// The lanes that have something to offer. Changes only together with them.
    due: BTreeSet<DueLane>,
}

impl Lanes {
    pub(super) fn get(&self, number: EndpointNumber) -> Option<&Lane> {
        self.by_number.get(&number)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (EndpointNumber, &Lane)> {
        self.by_number.iter().map(|(&number, lane)| (number, lane))
    }

    /// Lanes in the order in which they are due.
    pub(super) fn due(&self) -> impl Iterator<Item = (Timestamp, EndpointNumber)> {
        self.due.iter().map(|lane| (lane.at, lane.number))
    }

    /// Adds a lane that has nothing to offer.
    pub(super) fn insert(&mut self, number: EndpointNumber, lane: Lane) {
        debug_assert_eq!(lane.first_due(), None, "a lane is added before its rows are");
        self.by_number.insert(number, lane);
    }

    /// Removes a lane that has nothing to offer.
    pub(super) fn remove(&mut self, number: EndpointNumber) -> Option<Lane> {
        self.by_number.remove(&number)
    }

    /// Returns the value before.
    pub(super) fn replace_due(&mut self, number: EndpointNumber, due: LaneDue) -> LaneDue {
        self.change(number, |lane| std::mem::replace(&mut lane.due, due))
    }

    /// Returns the value before.
    pub(super) fn replace_paused(&mut self, number: EndpointNumber, is_paused: bool) -> bool {
        self.change(number, |lane| std::mem::replace(&mut lane.is_paused, is_paused))
    }

    /// Changes a lane, and moves it to its new position among the due ones.
    fn change<T>(&mut self, number: EndpointNumber, change: impl FnOnce(&mut Lane) -> T) -> T {
        let lane = self.by_number.get_mut(&number).expect("a lane with rows is known");
        let before = lane.first_due();
        let result = change(lane);
        let (id, after) = (lane.endpoint, lane.first_due());
        if before != after {
            before.map(|at| self.due.remove(&DueLane { at, id, number }));
            after.map(|at| self.due.insert(DueLane { at, id, number }));
        }
        result
    }
}
