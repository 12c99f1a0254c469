//! Responses to a provider.

use serde::{Deserialize, Serialize};

/// A response to a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers, including `content-type` if there is a body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The response to a rejected request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionReply {
    /// The status code.
    pub status: u16,
}

impl Default for RejectionReply {
    fn default() -> Self {
        Self { status: 401 }
    }
}
