//! The last requests, in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::entry::Entry;

/// Most requests that are kept.
pub(super) const CAPACITY: usize = 200;

/// Most bytes of a body that are kept.
pub(super) const MAX_BODY: usize = 64 << 10;

/// A request with its number.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub number: u64,
    pub entry: Arc<Entry>,
    /// How long the body was.
    pub body_bytes: usize,
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: Mutex<VecDeque<Numbered>>,
    /// The number of requests so far.
    count: watch::Sender<u64>,
}

impl Ring {
    pub(super) fn push(&self, mut entry: Entry) {
        let body_bytes = entry.body.len();
        // A copy, because a slice would keep all of it in memory.
        entry.body = Bytes::copy_from_slice(&entry.body[..body_bytes.min(MAX_BODY)]);
        let mut entries = self.lock();
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        let number = *self.count.borrow() + 1;
        entries.push_back(Numbered { number, entry: Arc::new(entry), body_bytes });
        drop(entries);
        self.count.send_replace(number);
    }

    /// All requests that are kept, newest first.
    pub(super) fn snapshot(&self) -> Vec<Numbered> {
        self.lock().iter().rev().cloned().collect()
    }

    /// Follows the number of requests.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Numbered>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_newest_requests_and_the_beginnings_of_bodies_are_kept() {
        let ring = Ring::default();
        for length in 0..=CAPACITY {
            ring.push(Entry {
                received_at: Timestamp::UNIX_EPOCH,
                event_type: None,
                message_id: String::new(),
                status: StatusCode::OK,
                verification: Ok(()),
                latency: None,
                headers: HeaderMap::new(),
                body: vec![b'x'; length << 10].into(),
            });
        }
        let kept = ring.snapshot();
        assert_eq!((kept.len(), kept[0].number, kept[CAPACITY - 1].number), (CAPACITY, 201, 2));
        assert_eq!((kept[0].entry.body.len(), kept[0].body_bytes), (MAX_BODY, CAPACITY << 10));
    }
}
