//! Whether the messages of an application are sent.

use serde::{Deserialize, Serialize};

/// Whether the messages of an application are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplicationMode {
    #[default]
    Live,
    /// Deliveries are made as always, up to the signed request, which is recorded and not sent.
    Shadow,
}

impl ApplicationMode {
    /// Whether messages are sent.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live)
    }
}
