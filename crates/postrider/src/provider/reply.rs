//! What is answered to a provider.

use super::{Provider, Request, Settings};

/// An answer to a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers, `content-type` among them if there is a body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the provider expects once its webhook is durable.
pub fn acknowledge(_provider: &Provider, _settings: &Settings, _request: &Request<'_>) -> Reply {
    Reply { status: 204, ..Reply::default() }
}

/// What the provider gets for a request that is not believed: the same for every reason.
pub fn refuse(_provider: &Provider) -> Reply {
    Reply { status: 401, ..Reply::default() }
}
