//! How far a partition has been read and acknowledged.

use std::collections::BTreeSet;

/// A partition that is read. Offsets have gaps: not each one is a message.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Behind the last message that was received.
    end: i64,
    /// Received, and not acknowledged.
    in_flight: BTreeSet<i64>,
    /// Given back, and to be received again.
    returned: BTreeSet<i64>,
}

impl Progress {
    /// Reading starts at this offset.
    pub(super) fn starting_at(offset: i64) -> Self {
        Self { end: offset, ..Self::default() }
    }

    /// Whether a message that was read is to be passed on. After something was given back, the
    /// partition is read again from there, and the messages in between are not new.
    pub(super) fn receive(&mut self, offset: i64) -> bool {
        let is_wanted = offset >= self.end || self.returned.remove(&offset);
        if is_wanted {
            self.in_flight.insert(offset);
            self.end = self.end.max(offset + 1);
        }
        is_wanted
    }

    pub(super) fn acknowledge(&mut self, offset: i64) {
        self.in_flight.remove(&offset);
    }

    /// Returns whether the message was in flight.
    pub(super) fn give_back(&mut self, offset: i64) -> bool {
        self.in_flight.remove(&offset) && self.returned.insert(offset)
    }

    /// Everything before this offset is acknowledged.
    pub(super) fn acknowledged_until(&self) -> i64 {
        let first = self.in_flight.first().into_iter().chain(self.returned.first()).min();
        first.copied().unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_follows_the_oldest_message_that_is_not_acknowledged() {
        let mut progress = Progress::starting_at(10);
        assert_eq!(progress.acknowledged_until(), 10);
        // 12 is missing, as in a compacted topic.
        assert!([10, 11, 13].into_iter().all(|offset| progress.receive(offset)));
        progress.acknowledge(11);
        assert_eq!(progress.acknowledged_until(), 10);
        progress.acknowledge(10);
        assert_eq!(progress.acknowledged_until(), 13);
        progress.acknowledge(13);
        assert_eq!(progress.acknowledged_until(), 14);
        progress.acknowledge(99);
        assert_eq!(progress.acknowledged_until(), 14);
    }

    #[test]
    fn only_what_was_given_back_is_received_again() {
        let mut progress = Progress::starting_at(0);
        assert!((0..4).all(|offset| progress.receive(offset)));
        progress.acknowledge(0);
        assert!(progress.give_back(1));
        assert!(!progress.give_back(0));
        progress.acknowledge(2);
        assert_eq!(progress.acknowledged_until(), 1);
        let again: Vec<_> = (1..6).filter(|offset| progress.receive(*offset)).collect();
        assert_eq!(again, [1, 4, 5]);
        progress.acknowledge(1);
        assert_eq!(progress.acknowledged_until(), 3);
    }
}
