//! The ids under which the server stored messages, as hashes.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Messages with larger numbers are not checked, which bounds the memory to 400 MB.
const MAX: usize = 50_000_000;

#[derive(Debug, Default)]
pub(super) struct Ids(Vec<u64>);

impl Ids {
    /// Whether the message had no other id before.
    pub(super) fn is_same(&mut self, number: u64, id: &str) -> bool {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if place >= MAX {
            return true;
        }
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        let hash = hash(id);
        let known = std::mem::replace(&mut self.0[place], hash);
        known == 0 || known == hash
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_one_id() {
        let mut ids = Ids::default();
        assert!(ids.is_same(5, "msg_1") && ids.is_same(5, "msg_1") && ids.is_same(2, "msg_2"));
        assert!(!ids.is_same(5, "msg_2"));
    }
}
