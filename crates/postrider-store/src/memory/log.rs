//! The log of a polling endpoint.

use std::collections::{BTreeMap, HashSet};

use postrider::MessageId;
use postrider_core::{polling::PollConsumer, time::Timestamp};

use crate::contract::catalog::Version;

/// A log with its consumers.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) last: u64,
    pub(super) last_at: Timestamp,
    pub(super) entries: BTreeMap<u64, (MessageId, Timestamp)>,
    pub(super) messages: HashSet<MessageId>,
    pub(super) consumers: BTreeMap<String, (Version, PollConsumer)>,
}
