//! Configuration of `mqtt` endpoints.

use serde::Deserialize;
use url::Url;

use super::{KindConfig, Problem, secret::without_credentials};

/// An MQTT topic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mqtt {
    pub url: Url,
}

impl KindConfig for Mqtt {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}
