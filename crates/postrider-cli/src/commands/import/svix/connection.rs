//! The API of the other system.

use crate::commands::import::http::Api;

const API: [&str; 2] = ["api", "v1"];

/// A system with the API of Svix.
#[derive(Debug)]
pub(in crate::commands::import) struct Svix {
    pub(super) api: Api,
}

impl Svix {
    pub(in crate::commands::import) const fn new(api: Api) -> Self {
        Self { api }
    }
}

/// A path below that of the API.
pub(super) fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&API[..], rest].concat()
}
