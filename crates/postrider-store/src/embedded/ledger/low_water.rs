//! The low-water mark: no message before it has a delivery without a row.
//!
//! Startup looks for deliveries that were leased without a row when the process ended. It only
//! has to look at the messages from the mark on.

use crate::embedded::number::MessageSequence;

/// How many messages the mark may lag behind the newest one before the deliveries that keep it
/// back get rows: bounds the messages that startup looks at.
const SPAN: u64 = 20_000;

/// The mark advances in steps of a part of the span.
const STEPS: usize = 4;

#[derive(Debug)]
pub(in crate::embedded) struct LowWater {
    /// The mark as it is stored.
    stored: MessageSequence,
    /// The mark as this transaction stores it.
    next: Option<MessageSequence>,
    /// Messages appended since the last step.
    appended: u64,
    /// The end of the messages at the last steps, oldest first.
    ends: [MessageSequence; STEPS],
}

impl LowWater {
    pub(super) const fn new(stored: MessageSequence) -> Self {
        Self { stored, next: None, appended: 0, ends: [MessageSequence::ZERO; STEPS] }
    }

    pub(in crate::embedded) fn current(&self) -> MessageSequence {
        self.next.unwrap_or(self.stored)
    }

    pub(super) const fn set(&mut self, mark: MessageSequence) {
        self.next = Some(mark);
    }

    pub(in crate::embedded) const fn note_appended(&mut self) {
        self.appended += 1;
    }

    pub(super) const fn is_behind(&self) -> bool {
        self.appended >= SPAN / STEPS as u64
    }

    /// Starts a step at this end of the messages. Deliveries of messages before the returned
    /// one must get rows, since they have kept the mark back for the whole span.
    pub(super) fn step(&mut self, end: MessageSequence) -> MessageSequence {
        self.appended = 0;
        self.ends.rotate_left(1);
        self.ends[STEPS - 1] = end;
        self.ends[0]
    }

    pub(super) const fn savepoint(&self) -> Option<MessageSequence> {
        self.next
    }

    pub(super) const fn undo_to(&mut self, savepoint: Option<MessageSequence>) {
        self.next = savepoint;
    }

    pub(super) fn commit(&mut self) {
        self.stored = self.next.take().unwrap_or(self.stored);
    }
}
