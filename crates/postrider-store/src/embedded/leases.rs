//! The state that the commit thread keeps in memory: the leases, and when each endpoint has a
//! delivery due.
//!
//! All of it can be rebuilt from the database. It changes together with the database: each
//! change records how to undo it, until the transaction is committed.

mod lanes;

use std::collections::{BTreeMap, HashMap};

use postrider::{ApplicationId, EndpointId};
use postrider_core::time::Timestamp;

pub(super) use self::lanes::Lane;
use self::lanes::{LaneDue, Lanes};
use super::{
    number::{DeliveryKey, EndpointNumber, MessageSequence},
    pending_row::PendingRow,
};

/// A lease on a delivery that was appended leased and not settled since: it has no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnpersistedLease {
    pub(super) until: Timestamp,
    pub(super) due_at: Timestamp,
}

/// A lease on a row of `pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowLease {
    pub(super) until: Timestamp,
    pub(super) row: PendingRow,
}

/// A delivery that has a row, ordered by endpoint first: all of a lane are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    endpoint: EndpointNumber,
    message: MessageSequence,
}

impl From<DeliveryKey> for RowKey {
    fn from(key: DeliveryKey) -> Self {
        Self { endpoint: key.endpoint, message: key.message }
    }
}

/// A change, as the value to put back.
#[derive(Debug)]
enum Undo {
    Unpersisted(DeliveryKey, Option<UnpersistedLease>),
    Row(DeliveryKey, Option<RowLease>),
    Due(EndpointNumber, LaneDue),
    Paused(EndpointNumber, bool),
    LaneAdded(EndpointNumber),
    LaneRemoved(EndpointNumber, Lane),
    RowCount(u64),
    Reservation([u8; 32], Option<[u8; 32]>),
}

#[derive(Debug, Default)]
pub(super) struct LeaseTable {
    unpersisted: BTreeMap<DeliveryKey, UnpersistedLease>,
    rows: BTreeMap<RowKey, RowLease>,
    /// How many leases of both kinds end at a time, so that a claim knows without a search
    /// whether any has expired.
    expiries: BTreeMap<Timestamp, u32>,
    lanes: Lanes,
    /// Rows of `pending`, leased or not.
    row_count: u64,
    /// Idempotency keys whose requests have not responded, with the fingerprints of those.
    reservations: HashMap<[u8; 32], [u8; 32]>,
    /// Changes of the transaction, oldest first. Copying the table for each piece of work would
    /// cost more than the work.
    undo: Vec<Undo>,
}

impl LeaseTable {
    pub(super) fn unpersisted(&self, key: DeliveryKey) -> Option<UnpersistedLease> {
        self.unpersisted.get(&key).copied()
    }

    pub(super) fn all_unpersisted(&self) -> impl Iterator<Item = (DeliveryKey, UnpersistedLease)> {
        self.unpersisted.iter().map(|(&key, &lease)| (key, lease))
    }

    /// Endpoints that the message has unpersisted leases for.
    pub(super) fn unpersisted_of(&self, message: MessageSequence) -> Vec<EndpointNumber> {
        let first = DeliveryKey { message, endpoint: EndpointNumber(0) };
        let last = DeliveryKey { message, endpoint: EndpointNumber(u32::MAX) };
        self.unpersisted.range(first..=last).map(|(key, _)| key.endpoint).collect()
    }

    /// The oldest message with an unpersisted lease.
    pub(super) fn oldest_unpersisted(&self) -> Option<MessageSequence> {
        self.unpersisted.first_key_value().map(|(key, _)| key.message)
    }

    pub(super) fn set_unpersisted(&mut self, key: DeliveryKey, lease: Option<UnpersistedLease>) {
        let before = self.put_unpersisted(key, lease);
        self.undo.push(Undo::Unpersisted(key, before));
    }

    fn put_unpersisted(
        &mut self,
        key: DeliveryKey,
        lease: Option<UnpersistedLease>,
    ) -> Option<UnpersistedLease> {
        let before = match lease {
            Some(lease) => self.unpersisted.insert(key, lease),
            None => self.unpersisted.remove(&key),
        };
        self.count(before.map(|it| it.until), lease.map(|it| it.until));
        before
    }

    pub(super) fn row(&self, key: DeliveryKey) -> Option<RowLease> {
        self.rows.get(&key.into()).copied()
    }

    pub(super) fn is_row_leased(&self, key: DeliveryKey) -> bool {
        self.rows.contains_key(&key.into())
    }

    /// Whether the delivery is leased, with or without a row.
    pub(super) fn is_leased(&self, key: DeliveryKey) -> bool {
        self.unpersisted.contains_key(&key) || self.is_row_leased(key)
    }

    pub(super) fn all_rows(&self) -> impl Iterator<Item = RowLease> {
        self.rows.values().copied()
    }

    pub(super) fn set_row(&mut self, key: DeliveryKey, lease: Option<RowLease>) {
        let before = self.put_row(key, lease);
        self.undo.push(Undo::Row(key, before));
    }

    fn put_row(&mut self, key: DeliveryKey, lease: Option<RowLease>) -> Option<RowLease> {
        let before = match lease {
            Some(lease) => self.rows.insert(key.into(), lease),
            None => self.rows.remove(&key.into()),
        };
        self.count(before.map(|it| it.until), lease.map(|it| it.until));
        before
    }

    /// Keeps [`Self::expiries`] when a lease replaces another one.
    fn count(&mut self, before: Option<Timestamp>, after: Option<Timestamp>) {
        if let Some(until) = after {
            *self.expiries.entry(until).or_default() += 1;
        }
        let Some(until) = before else { return };
        let left = self.expiries.get_mut(&until).expect("every lease is counted");
        *left -= 1;
        if *left == 0 {
            self.expiries.remove(&until);
        }
    }

    /// When the first lease expires.
    pub(super) fn first_expiry(&self) -> Option<Timestamp> {
        self.expiries.first_key_value().map(|(&until, _)| until)
    }

    pub(super) fn has_lane(&self, endpoint: EndpointNumber) -> bool {
        self.lanes.get(endpoint).is_some()
    }

    /// Adds an empty lane.
    pub(super) fn add_lane(
        &mut self,
        number: EndpointNumber,
        endpoint: EndpointId,
        application: ApplicationId,
    ) {
        self.lanes.insert(number, Lane::new(endpoint, application));
        self.undo.push(Undo::LaneAdded(number));
    }

    pub(super) fn remove_lane(&mut self, number: EndpointNumber) {
        if self.has_lane(number) {
            self.set_due(number, LaneDue::default());
            if let Some(lane) = self.lanes.remove(number) {
                self.undo.push(Undo::LaneRemoved(number, lane));
            }
        }
    }

    pub(super) fn is_paused(&self, endpoint: EndpointNumber) -> bool {
        self.lanes.get(endpoint).is_some_and(|lane| lane.is_paused)
    }

    /// Withholds the lane from claims, or offers it again.
    pub(super) fn set_paused(&mut self, endpoint: EndpointNumber, is_paused: bool) {
        let before = self.lanes.replace_paused(endpoint, is_paused);
        self.undo.push(Undo::Paused(endpoint, before));
    }

    pub(super) fn lane(&self, endpoint: EndpointNumber) -> Lane {
        *self.lanes.get(endpoint).expect("a lane with rows is known")
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = (EndpointNumber, &Lane)> {
        self.lanes.all()
    }

    /// Lanes in the order in which they are due.
    pub(super) fn due_lanes(&self) -> impl Iterator<Item = (Timestamp, EndpointNumber)> {
        self.lanes.due()
    }

    pub(super) fn unordered_due(&self, endpoint: EndpointNumber) -> Option<Timestamp> {
        self.lanes.get(endpoint).and_then(|lane| lane.due.unordered)
    }

    pub(super) fn set_unordered_due(
        &mut self,
        endpoint: EndpointNumber,
        unordered: Option<Timestamp>,
    ) {
        self.set_due(endpoint, LaneDue { unordered, ..self.lane(endpoint).due });
    }

    pub(super) fn head_due(&self, endpoint: EndpointNumber) -> Option<Timestamp> {
        self.lanes.get(endpoint).and_then(|lane| lane.due.head)
    }

    pub(super) fn set_head_due(&mut self, endpoint: EndpointNumber, head: Option<Timestamp>) {
        self.set_due(endpoint, LaneDue { head, ..self.lane(endpoint).due });
    }

    fn set_due(&mut self, endpoint: EndpointNumber, due: LaneDue) {
        let before = self.lanes.replace_due(endpoint, due);
        if before != due {
            self.undo.push(Undo::Due(endpoint, before));
        }
    }

    /// An unordered delivery of the lane is due at `at`.
    pub(super) fn note_unordered_due(&mut self, endpoint: EndpointNumber, at: Timestamp) {
        if self.unordered_due(endpoint).is_none_or(|known| at < known) {
            self.set_unordered_due(endpoint, Some(at));
        }
    }

    pub(super) const fn row_count(&self) -> u64 {
        self.row_count
    }

    pub(super) fn set_row_count(&mut self, count: u64) {
        self.undo.push(Undo::RowCount(self.row_count));
        self.row_count = count;
    }

    pub(super) fn leased_row_count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The fingerprint of the request that uses the idempotency key.
    pub(super) fn reservation(&self, key: &[u8; 32]) -> Option<[u8; 32]> {
        self.reservations.get(key).copied()
    }

    pub(super) fn set_reservation(&mut self, key: [u8; 32], fingerprint: Option<[u8; 32]>) {
        let before = self.put_reservation(key, fingerprint);
        self.undo.push(Undo::Reservation(key, before));
    }

    fn put_reservation(
        &mut self,
        key: [u8; 32],
        fingerprint: Option<[u8; 32]>,
    ) -> Option<[u8; 32]> {
        match fingerprint {
            Some(fingerprint) => self.reservations.insert(key, fingerprint),
            None => self.reservations.remove(&key),
        }
    }

    /// A point to return to with [`Self::undo_to`].
    pub(super) const fn savepoint(&self) -> usize {
        self.undo.len()
    }

    /// Undoes the changes since the savepoint, last one first.
    pub(super) fn undo_to(&mut self, savepoint: usize) {
        for undo in self.undo.split_off(savepoint).into_iter().rev() {
            match undo {
                Undo::Unpersisted(key, before) => {
                    self.put_unpersisted(key, before);
                },
                Undo::Row(key, before) => {
                    self.put_row(key, before);
                },
                Undo::Due(endpoint, before) => {
                    self.lanes.replace_due(endpoint, before);
                },
                Undo::Paused(endpoint, before) => {
                    self.lanes.replace_paused(endpoint, before);
                },
                Undo::LaneAdded(endpoint) => {
                    self.lanes.remove(endpoint);
                },
                Undo::LaneRemoved(endpoint, lane) => {
                    self.lanes.insert(endpoint, lane);
                },
                Undo::RowCount(before) => self.row_count = before,
                Undo::Reservation(key, before) => {
                    self.put_reservation(key, before);
                },
            }
        }
    }

    /// The transaction is committed: its changes are final.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }
}
