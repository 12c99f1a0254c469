//! Numbers that a transaction frees: kept until it is committed, restored if it fails.

use crate::embedded::{
    number::EventTypeNumber,
    numbers::{AnyNumber, SharedNumbers},
};

#[derive(Debug, Default)]
pub(in crate::embedded) struct FreedNumbers {
    numbers: Vec<AnyNumber>,
    /// The event types of the messages that this transaction removes.
    removed_uses: Vec<EventTypeNumber>,
    /// Event types of which the last message known was removed.
    unused: Vec<EventTypeNumber>,
}

/// A state to return to; the default is the start of the transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Savepoint {
    numbers: usize,
    removed_uses: usize,
}

impl FreedNumbers {
    /// Nothing refers to the number any more.
    pub(in crate::embedded) fn free(&mut self, number: AnyNumber, numbers: &SharedNumbers) {
        numbers.write().free(number);
        self.numbers.push(number);
    }

    /// A message with this event type is removed.
    pub(in crate::embedded) fn note_removed(&mut self, event_type: EventTypeNumber) {
        self.removed_uses.push(event_type);
    }

    /// At most `limit` event types that were unused at some time.
    pub(in crate::embedded) fn take_unused(&mut self, limit: usize) -> Vec<EventTypeNumber> {
        self.unused.split_off(self.unused.len().saturating_sub(limit))
    }

    pub(in crate::embedded) const fn has_unused(&self) -> bool {
        !self.unused.is_empty()
    }

    pub(super) const fn savepoint(&self) -> Savepoint {
        Savepoint { numbers: self.numbers.len(), removed_uses: self.removed_uses.len() }
    }

    pub(super) fn undo_to(&mut self, savepoint: Savepoint, numbers: &SharedNumbers) {
        self.removed_uses.truncate(savepoint.removed_uses);
        let restored = self.numbers.split_off(savepoint.numbers.min(self.numbers.len()));
        let mut numbers = numbers.write();
        for number in restored {
            numbers.restore(number);
        }
    }

    pub(super) fn commit(&mut self, numbers: &SharedNumbers) {
        if self.numbers.is_empty() && self.removed_uses.is_empty() {
            return;
        }
        let mut numbers = numbers.write();
        for number in self.numbers.drain(..) {
            numbers.remove(number);
        }
        let unused = self.removed_uses.drain(..).filter(|&it| numbers.release_event_type(it));
        self.unused.extend(unused);
    }
}
