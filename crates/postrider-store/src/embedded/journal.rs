//! What the index is told: everything that changes what readers see.

use serde::{Deserialize, Serialize};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    Delivered,
    /// Due then.
    Pending(u64),
    Failed,
    Cancelled,
}

/// A change, with numbers in place of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Event {
    /// A message with its endpoints and when each is due.
    Accepted { message: u64, application: u32, targets: Vec<(u32, u64)> },
    /// An attempt; `then` only if the delivery followed it.
    Attempted { attempt: u64, message: u64, endpoint: u32, status: u16, then: Option<Standing> },
    /// A delivery stands elsewhere without an attempt.
    Moved { message: u64, endpoint: u32, to: Standing },
    /// All that was pending to the endpoint is cancelled.
    Ended { endpoint: u32 },
    /// The message is gone, with these deliveries.
    Forgotten { message: u64, application: u32, endpoints: Vec<u32> },
    /// The attempt is gone.
    AttemptForgotten { attempt: u64, message: u64, endpoint: u32 },
}
