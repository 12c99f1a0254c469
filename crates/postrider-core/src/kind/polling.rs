//! Configuration of `polling` endpoints.

use serde::Deserialize;

use super::{KindConfig, Problem};

/// A log that clients read from. It needs no configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polling {}

impl KindConfig for Polling {
    fn check(&self, _: &mut Vec<Problem>) {}

    /// The log is on this server, whose name the configuration does not contain.
    fn address(&self) -> String {
        "polling:/".to_owned()
    }
}
