//! The number of deliveries that wait.

use postrider_core::time::Timestamp;

use crate::embedded::ledger::Ledger;

/// Pending deliveries that are not leased.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Backlog {
    pub(in crate::embedded) waiting: u64,
    /// When the first of them was due; paused ones do not count.
    pub(in crate::embedded) oldest_due: Option<Timestamp>,
}

impl Ledger {
    pub(in crate::embedded) fn backlog(&self) -> Backlog {
        let waiting = self.leases.row_count().saturating_sub(self.leases.leased_row_count());
        let oldest_due = self.leases.due_lanes().next().map(|(due_at, _)| due_at);
        Backlog { waiting, oldest_due }
    }
}
