//! How the nodes share the partitions of a queue, and how far each was read.

use std::collections::BTreeMap;

use postrider::ConsumerId;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Who reads the partitions of a consumer's queue, and how far they were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partitions {
    pub consumer: ConsumerId,
    /// The readers, each with the end of its lease.
    pub readers: BTreeMap<u64, Timestamp>,
    pub partitions: BTreeMap<i32, Partition>,
}

/// A partition of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    pub reader: Option<u64>,
    /// The first offset that was not acknowledged.
    pub next_offset: Option<i64>,
}

impl Partitions {
    /// The partitions of a queue that was never read.
    pub const fn new(consumer: ConsumerId) -> Self {
        Self { consumer, readers: BTreeMap::new(), partitions: BTreeMap::new() }
    }

    /// Extends the lease of a reader, and gives it its share of the partitions that the queue
    /// `has`: it takes free ones if it has fewer, and gives up some if it has more.
    pub fn renew(&mut self, reader: u64, has: &[i32], now: Timestamp, until: Timestamp) {
        self.readers.retain(|_, until| *until > now);
        self.readers.insert(reader, until);
        for partition in self.partitions.values_mut() {
            partition.reader = partition.reader.filter(|it| self.readers.contains_key(it));
        }
        let share = self.share(reader, has.len());
        let held: Vec<_> = has.iter().copied().filter(|it| self.is_held(*it, reader)).collect();
        for excess in held.iter().skip(share) {
            self.partitions.entry(*excess).or_default().reader = None;
        }
        let free: Vec<_> = has.iter().copied().filter(|it| self.is_free(*it)).collect();
        for taken in free.iter().take(share.saturating_sub(held.len())) {
            self.partitions.entry(*taken).or_default().reader = Some(reader);
        }
    }

    /// Frees the partitions of a reader.
    pub fn release(&mut self, reader: u64) {
        self.readers.remove(&reader);
        for partition in self.partitions.values_mut() {
            partition.reader = partition.reader.filter(|it| *it != reader);
        }
    }

    /// Raises the offset of a partition; it never goes back. Returns whether it changed.
    pub fn advance(&mut self, partition: i32, next_offset: i64) -> bool {
        let known = self.partitions.entry(partition).or_default();
        let is_further = known.next_offset.is_none_or(|it| it < next_offset);
        if is_further {
            known.next_offset = Some(next_offset);
        }
        is_further
    }

    /// The partitions of a reader, of those that the queue `has`.
    pub fn held(&self, reader: u64, has: &[i32]) -> Vec<(i32, Option<i64>)> {
        let held = self.partitions.iter().filter(|(_, it)| it.reader == Some(reader));
        let held = held.filter(|(partition, _)| has.contains(partition));
        held.map(|(partition, it)| (*partition, it.next_offset)).collect()
    }

    /// How many of `count` partitions a reader should have.
    fn share(&self, reader: u64, count: usize) -> usize {
        let position = self.readers.range(..reader).count();
        let readers = self.readers.len().max(1);
        count / readers + usize::from(position < count % readers)
    }

    fn is_held(&self, partition: i32, reader: u64) -> bool {
        self.partitions.get(&partition).is_some_and(|it| it.reader == Some(reader))
    }

    fn is_free(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_none_or(|it| it.reader.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAS: [i32; 5] = [0, 1, 2, 3, 4];

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn held(partitions: &Partitions, reader: u64) -> Vec<i32> {
        partitions.held(reader, &HAS).into_iter().map(|(partition, _)| partition).collect()
    }

    fn none_read() -> Partitions {
        Partitions::new(ConsumerId::from_u128(1))
    }

    #[test]
    fn a_second_reader_gets_its_share_once_the_first_has_given_it_up() {
        let mut partitions = none_read();
        partitions.renew(7, &HAS, at(0), at(10));
        assert_eq!(held(&partitions, 7), HAS);
        partitions.renew(9, &HAS, at(1), at(11));
        assert_eq!(held(&partitions, 9), [0_i32; 0]);
        partitions.renew(7, &HAS, at(2), at(12));
        partitions.renew(9, &HAS, at(3), at(13));
        assert_eq!(held(&partitions, 7), [0, 1, 2]);
        assert_eq!(held(&partitions, 9), [3, 4]);
    }

    #[test]
    fn the_partitions_of_an_expired_or_released_reader_are_taken_over() {
        for is_released in [false, true] {
            let mut partitions = none_read();
            partitions.renew(7, &HAS, at(0), at(10));
            if is_released {
                partitions.release(7);
            }
            let now = if is_released { at(1) } else { at(10) };
            partitions.renew(9, &HAS, now, at(20));
            assert_eq!(held(&partitions, 9), HAS);
            assert_eq!(held(&partitions, 7), [0_i32; 0]);
        }
    }

    #[test]
    fn an_offset_never_goes_back() {
        let mut partitions = none_read();
        assert!(partitions.advance(3, 10));
        assert!(!partitions.advance(3, 9));
        assert!(partitions.advance(3, 11));
        partitions.renew(7, &HAS, at(0), at(10));
        assert!(partitions.held(7, &HAS).contains(&(3, Some(11))));
    }

    #[test]
    fn new_and_removed_partitions_are_followed() {
        let mut partitions = none_read();
        partitions.renew(7, &HAS[..2], at(0), at(10));
        partitions.renew(7, &HAS, at(1), at(11));
        assert_eq!(held(&partitions, 7), HAS);
        assert_eq!(partitions.held(7, &[0]), [(0, None)]);
    }

    #[test]
    fn json_round_trips() {
        let mut partitions = none_read();
        partitions.renew(u64::MAX, &[-1, 5], at(0), at(10));
        let json = serde_json::to_string(&partitions).unwrap();
        assert_eq!(serde_json::from_str::<Partitions>(&json).unwrap(), partitions);
    }
}
