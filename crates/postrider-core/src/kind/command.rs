//! Configuration of `command` endpoints.

use serde::Deserialize;
use url::Url;

use super::{KindConfig, Problem, secret::without_credentials};

/// A program on this machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    pub url: Url,
}

impl KindConfig for Command {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}
