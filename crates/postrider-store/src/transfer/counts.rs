//! The number of items of each kind in a store.

/// The number of items of each kind in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    pub applications: u64,
    pub endpoints: u64,
    pub event_types: u64,
    pub sources: u64,
    pub connectors: u64,
    pub consumers: u64,
    pub dead_letters: u64,
    pub api_keys: u64,
    /// Entries of the audit log.
    pub audit_log: u64,
    pub tasks: u64,
    pub messages: u64,
    /// Messages that still have their payload.
    pub bodies: u64,
    pub event_ids: u64,
    /// Digests of idempotency keys that identify messages.
    pub digests: u64,
    pub delivered: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub pending: u64,
    /// Attempts of messages that still exist.
    pub attempts: u64,
    /// Entries of the logs of polling endpoints.
    pub poll_entries: u64,
    pub poll_consumers: u64,
    pub recoveries: u64,
    /// Stored responses to idempotency keys.
    pub answers: u64,
}

impl RecordCounts {
    /// The counts with their names.
    pub const fn rows(&self) -> [(&'static str, u64); 23] {
        [
            ("applications", self.applications),
            ("endpoints", self.endpoints),
            ("event types", self.event_types),
            ("sources", self.sources),
            ("connectors", self.connectors),
            ("consumers", self.consumers),
            ("dead letters", self.dead_letters),
            ("API keys", self.api_keys),
            ("audit log entries", self.audit_log),
            ("background tasks", self.tasks),
            ("messages", self.messages),
            ("  with their payload", self.bodies),
            ("event ids", self.event_ids),
            ("idempotency keys of messages", self.digests),
            ("deliveries: delivered", self.delivered),
            ("deliveries: failed", self.failed),
            ("deliveries: cancelled", self.cancelled),
            ("deliveries: pending", self.pending),
            ("attempts", self.attempts),
            ("entries of polling endpoints", self.poll_entries),
            ("consumers of polling endpoints", self.poll_consumers),
            ("recoveries", self.recoveries),
            ("answers to idempotency keys", self.answers),
        ]
    }
}
