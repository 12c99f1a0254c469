//! Remembers which messages objects contain. Objects do not change.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use postrider::MessageId;

/// Objects that are remembered for an endpoint, with 16 bytes for each message.
const OBJECTS: usize = 64;

/// The messages of an object, in order.
pub(super) type Ids = Arc<[MessageId]>;

/// The objects that were used last.
#[derive(Debug, Default)]
pub(super) struct KnownObjects(Mutex<VecDeque<(String, Ids)>>);

impl KnownObjects {
    pub(super) fn get(&self, key: &str) -> Option<Ids> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().find(|(known, _)| known == key).map(|(_, ids)| Arc::clone(ids))
    }

    pub(super) fn insert(&self, key: String, ids: Ids) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if objects.len() == OBJECTS {
            objects.pop_front();
        }
        objects.push_back((key, ids));
    }
}
