//! What a node knows of its lease and of changes by other nodes.

use std::collections::BTreeSet;

use postrider_core::time::Timestamp;
use tokio::time::Instant;

use crate::contract::cluster::NodeLease;

/// The node's own lease.
#[derive(Debug)]
pub(in crate::postgres) struct LeaseState {
    pub(in crate::postgres) lease: NodeLease,
    /// Until then this node declares no other one dead. If it could not reach the database, the
    /// others probably could not either, and they get the time to renew their leases.
    pub(in crate::postgres) patient_until: Option<Instant>,
    /// Rows may carry the number of a node that does not exist any more.
    pub(in crate::postgres) has_orphans: bool,
}

impl Default for LeaseState {
    fn default() -> Self {
        let lease = NodeLease { epoch: 0, valid_until: Timestamp::default() };
        Self { lease, patient_until: None, has_orphans: false }
    }
}

/// Changes of applications that the engine was notified of.
#[derive(Debug, Default)]
pub(in crate::postgres) struct KnownChanges {
    pub(in crate::postgres) ids: BTreeSet<i64>,
    /// When changes were last read, by the database's clock.
    pub(in crate::postgres) read_at: Timestamp,
}
