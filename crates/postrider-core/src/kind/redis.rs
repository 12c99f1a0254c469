//! Configuration of `redis` endpoints.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{
    KindConfig, Problem, ServiceUrl,
    broker::{Broker, MAX_HEADERS, Schemes, check_url},
    secret::without_credentials,
    time,
};
use crate::template::Template;

/// Most deliveries in flight: each waits for its own confirmation.
const IN_FLIGHT: usize = 2_000;

/// Most replicas that can be waited for.
const MAX_REPLICAS: u32 = 10;

/// Most bytes of the name of a stream, a group or a field.
pub const MAX_NAME: usize = 1_000;

const SCHEMES: Schemes = Schemes { plain: ("redis", 6379), tls: ("rediss", 6379) };

/// A Redis stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redis {
    url: ServiceUrl,
    trusted_certificates: Option<String>,
    pub stream: Template,
    /// The fields of an entry, if they are not the default ones.
    #[serde(default)]
    pub fields: BTreeMap<String, Template>,
    /// About how many entries are kept.
    pub max_length: Option<u64>,
    /// How many replicas have to have the entry.
    #[serde(default)]
    pub replicas: u32,
}

/// A consumer group of a Redis stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedisQueue {
    url: ServiceUrl,
    trusted_certificates: Option<String>,
    pub stream: String,
    /// The consumer group, if it does not have the name of the queue source.
    pub group: Option<String>,
    /// The field with the body of a message. An entry without it becomes a JSON object of its
    /// fields.
    #[serde(default = "default_body_field")]
    pub body_field: String,
    /// How long an entry may be unacknowledged until it is delivered again.
    #[serde(default = "default_ack_wait", deserialize_with = "time::deserialize")]
    pub ack_wait: Duration,
}

fn default_body_field() -> String {
    "payload".to_owned()
}

const fn default_ack_wait() -> Duration {
    Duration::from_secs(60)
}

/// A Redis server and how to connect to it.
#[derive(Clone, Debug)]
pub struct RedisServer<'a> {
    pub broker: Broker,
    pub database: i64,
    pub trusted: Option<&'a str>,
}

impl<'a> RedisServer<'a> {
    fn new(url: &Url, trusted: Option<&'a str>) -> Result<Self, String> {
        let database = match url.path().strip_prefix('/') {
            None | Some("") => Some(0),
            Some(number) => number.parse::<u16>().ok(),
        };
        let database = database.ok_or("must have the number of a database as its path, or none")?;
        if url.query().is_some() {
            return Err("must have no query".to_owned());
        }
        Ok(Self { broker: Broker::parse(url, &SCHEMES)?, database: i64::from(database), trusted })
    }
}

impl Redis {
    /// Where the stream is; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<RedisServer<'_>> {
        RedisServer::new(&self.url, self.trusted_certificates.as_deref()).ok()
    }
}

impl RedisQueue {
    /// Where the stream is; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<RedisServer<'_>> {
        RedisServer::new(&self.url, self.trusted_certificates.as_deref()).ok()
    }
}

fn check_server(url: &Url, problems: &mut Vec<Problem>) {
    check_url(url, &SCHEMES, problems);
    if problems.is_empty()
        && let Err(message) = RedisServer::new(url, None)
    {
        problems.push(Problem::of("url", message));
    }
}

fn check_name(field: &str, name: &str, problems: &mut Vec<Problem>) {
    if !(1..=MAX_NAME).contains(&name.len()) {
        problems.push(Problem::of(field, format!("must have 1 to {MAX_NAME} bytes")));
    }
}

impl KindConfig for Redis {
    fn check(&self, problems: &mut Vec<Problem>) {
        check_server(&self.url, problems);
        if let Some(stream) = self.stream.constant() {
            check_name("stream", stream, problems);
        }
        if self.fields.len() > MAX_HEADERS {
            let message = format!("must have at most {MAX_HEADERS} entries");
            problems.push(Problem::of("fields", message));
        }
        for name in self.fields.keys() {
            check_name("fields", name, problems);
        }
        if self.max_length == Some(0) {
            problems.push(Problem::of("maxLength", "must be at least 1"));
        }
        if self.replicas > MAX_REPLICAS {
            problems.push(Problem::of("replicas", format!("must be at most {MAX_REPLICAS}")));
        }
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

impl KindConfig for RedisQueue {
    fn check(&self, problems: &mut Vec<Problem>) {
        check_server(&self.url, problems);
        check_name("stream", &self.stream, problems);
        check_name("bodyField", &self.body_field, problems);
        if let Some(group) = &self.group {
            check_name("group", group, problems);
        }
        time::check_range("ackWait", self.ack_wait, Duration::from_secs(1), problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use postrider::api::EndpointKind;
    use serde_json::{Value, json};

    use crate::kind::Destination;

    #[test]
    fn what_cannot_work_is_refused_with_its_path() {
        let cases = [
            (json!({ "url": "redis://r", "stream": "s" }), None),
            (json!({ "url": "rediss://u:p@r/3", "stream": "s:{{ type }}", "replicas": 1 }), None),
            (json!({ "url": "redis://r/x", "stream": "s" }), Some("url")),
            (json!({ "url": "amqp://r", "stream": "s" }), Some("url")),
            (json!({ "url": "redis://r", "stream": "" }), Some("stream")),
            (json!({ "url": "redis://r", "stream": "s", "maxLength": 0 }), Some("maxLength")),
            (json!({ "url": "redis://r", "stream": "s", "fields": { "": "x" } }), Some("fields")),
        ];
        for (config, path) in cases {
            let Value::Object(fields) = config.clone() else { unreachable!() };
            let problems = Destination::parse(EndpointKind::Redis, &fields).err();
            let found = problems.map(|problems| problems[0].path[0].clone());
            assert_eq!(found.as_deref(), path, "{config}");
        }
    }
}
