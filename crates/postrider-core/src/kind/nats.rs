//! Configuration of `nats` endpoints.

use serde::Deserialize;
use url::Url;

use super::{KindConfig, Problem, secret::without_credentials};

/// A subject of NATS JetStream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nats {
    pub url: Url,
}

impl KindConfig for Nats {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

/// A consumer of a NATS JetStream stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatsQueue {
    pub url: Url,
}

impl KindConfig for NatsQueue {
    fn check(&self, _problems: &mut Vec<Problem>) {}

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}
