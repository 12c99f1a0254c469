//! Configuration of `live` endpoints.

use serde::Deserialize;
use url::Url;

use super::{KindConfig, Problem, secret::without_credentials};

/// A stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Live {
    pub url: Url,
}

impl KindConfig for Live {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}
