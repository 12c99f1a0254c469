//! Why an endpoint is disabled.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Why, by whom and when an endpoint was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disablement {
    pub reason: DisableReason,
    pub by: DisabledBy,
    pub at: Timestamp,
}

/// Why an endpoint was disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisableReason {
    /// A client asked for it.
    Requested,
    /// Its deliveries were exhausted since this time.
    Failing { since: Timestamp },
    /// The receiver asked not to be called again.
    Gone,
}

/// Who disabled an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisabledBy {
    Organization,
    Application,
    Server,
}

impl DisabledBy {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Application => "application",
            Self::Server => "server",
        }
    }
}
