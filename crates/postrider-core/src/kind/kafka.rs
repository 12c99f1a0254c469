//! Configuration of `kafka` endpoints and queues.

mod error;
mod partition;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{KindConfig, Problem, broker::check_names, credential::Credential};
use crate::template::{Template, Text};

pub use self::{
    error::{Reaction, reaction},
    partition::partition_of,
};

/// A Kafka topic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of brokers to begin with. They name the others.
    pub brokers: Vec<String>,
    pub topic: Template<Text>,
    /// Messages with the same key go to the same partition.
    pub key: Option<Template<Text>>,
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    #[serde(default)]
    pub compression: Compression,
    #[serde(default)]
    pub tls: bool,
    /// Certificate authorities that are trusted instead of the installation's, in PEM.
    pub trusted_certificates: Option<String>,
    #[serde(default)]
    pub mechanism: Mechanism,
    pub username: Option<String>,
    pub password: Option<Credential>,
}

/// A Kafka topic that messages are read from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaQueue {
    /// `host:port` of brokers to begin with. They name the others.
    pub brokers: Vec<String>,
    pub topic: String,
    /// Where partitions are read from that were never read before.
    #[serde(default)]
    pub start: Start,
    #[serde(default)]
    pub tls: bool,
    /// Certificate authorities that are trusted instead of the installation's, in PEM.
    pub trusted_certificates: Option<String>,
    #[serde(default)]
    pub mechanism: Mechanism,
    pub username: Option<String>,
    pub password: Option<Credential>,
}

/// How record batches are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    #[default]
    None,
    Gzip,
}

/// How the client proves who it is, if it has a user name (SASL).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Mechanism {
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// With the oldest message that the broker has.
    #[default]
    Earliest,
    /// With the first message that is written after the consumer was started.
    Latest,
}

/// How brokers are reached.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub brokers: &'a [String],
    pub tls: bool,
    pub trusted: Option<&'a str>,
    pub login: Option<Login<'a>>,
}

/// Who the client is.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    pub mechanism: Mechanism,
    pub username: &'a str,
    pub password: &'a Credential,
}

const MAX_BROKERS: usize = 20;
const DEFAULT_PORT: u16 = 9092;

/// Most messages in flight; they are written in batches.
const MAX_IN_FLIGHT: usize = 2_000;

impl Access<'_> {
    fn address(&self) -> String {
        format!("kafka://{}", self.brokers.join(","))
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |field, message: &str| problems.push(Problem::of(field, message));
        if self.brokers.is_empty() || self.brokers.len() > MAX_BROKERS {
            problem("brokers", "must have 1 to 20 brokers");
        }
        if self.brokers.iter().any(|broker| host_and_port(broker).is_none()) {
            problem("brokers", "must be a list of `host:port`");
        }
        if self.trusted.is_some() && !self.tls {
            problem("trustedCertificates", "has no effect without `tls`");
        }
    }
}

/// Problems of a user name without a password, and the other way round.
fn check_login(
    username: Option<&String>,
    password: Option<&Credential>,
    problems: &mut Vec<Problem>,
) {
    match (username, password) {
        (Some(_), None) => problems.push(Problem::of("username", "must have a `password`")),
        (None, Some(_)) => problems.push(Problem::of("password", "must have a `username`")),
        (Some(_), Some(_)) | (None, None) => {},
    }
}

impl Kafka {
    pub fn access(&self) -> Access<'_> {
        Access {
            brokers: &self.brokers,
            tls: self.tls,
            trusted: self.trusted_certificates.as_deref(),
            login: login(self.mechanism, self.username.as_deref(), self.password.as_ref()),
        }
    }
}

impl KafkaQueue {
    pub fn access(&self) -> Access<'_> {
        Access {
            brokers: &self.brokers,
            tls: self.tls,
            trusted: self.trusted_certificates.as_deref(),
            login: login(self.mechanism, self.username.as_deref(), self.password.as_ref()),
        }
    }
}

fn login<'a>(
    mechanism: Mechanism,
    username: Option<&'a str>,
    password: Option<&'a Credential>,
) -> Option<Login<'a>> {
    Some(Login { mechanism, username: username?, password: password? })
}

/// The parts of `host:port`; the port may be absent.
pub fn host_and_port(broker: &str) -> Option<(&str, u16)> {
    let is_bare = !broker.ends_with(']') && broker.contains(':');
    let (host, port) = if is_bare {
        let (host, port) = broker.rsplit_once(':')?;
        (host, port.parse().ok().filter(|port| *port != 0)?)
    } else {
        (broker, DEFAULT_PORT)
    };
    let is_v6 = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && !host.contains(['/', '@', ' ']);
    (is_host && (is_v6 || !host.contains(':'))).then_some((host, port))
}

/// Whether a topic can have this name.
pub fn check_topic(name: &str) -> Result<(), &'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    match name {
        "" | "." | ".." => Err("the topic is empty; correct the template `topic`"),
        _ if name.len() > 249 => Err("the topic is longer than 249 bytes"),
        _ if !name.chars().all(is_allowed) => Err(
            "the topic contains characters other than letters, digits, `.`, `_` and `-`; correct \
             the template `topic`",
        ),
        _ => Ok(()),
    }
}

impl KindConfig for Kafka {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        self.access().check(problems);
        check_login(self.username.as_ref(), self.password.as_ref(), problems);
        check_names("headers", &self.headers, problems);
    }

    fn address(&self) -> String {
        self.access().address()
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(MAX_IN_FLIGHT)
    }
}

impl KindConfig for KafkaQueue {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        self.access().check(problems);
        check_login(self.username.as_ref(), self.password.as_ref(), problems);
        if let Err(reason) = check_topic(&self.topic) {
            problems.push(Problem::of("topic", format!("is not valid: {reason}")));
        }
    }

    fn address(&self) -> String {
        format!("{}/{}", self.access().address(), self.topic)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::parse;

    fn problems<T: KindConfig>(config: &Value) -> Vec<String> {
        let Value::Object(fields) = config else { unreachable!() };
        let found = parse::<T>(fields).err().unwrap_or_default();
        found.into_iter().map(|problem| problem.path.join(".")).collect()
    }

    #[test]
    fn configurations_of_endpoints_are_checked() {
        let cases = [
            (json!({ "brokers": ["b:9092"], "topic": "t" }), vec![]),
            (
                json!({
                    "brokers": ["a", "[::1]:9093"], "topic": "{{ type }}", "key": "{{ id }}",
                    "compression": "gzip", "tls": true, "mechanism": "SCRAM-SHA-512",
                    "username": "u", "password": "p",
                }),
                vec![],
            ),
            (json!({ "brokers": [], "topic": "t" }), vec!["brokers"]),
            (json!({ "brokers": ["http://b"], "topic": "t" }), vec!["brokers"]),
            (json!({ "brokers": ["b"], "topic": "t", "username": "u" }), vec!["username"]),
            (json!({ "brokers": ["b"], "topic": "t", "password": "p" }), vec!["password"]),
            (json!({ "brokers": ["b"], "topic": "t", "compression": "lz4" }), vec!["compression"]),
            (
                json!({ "brokers": ["b"], "topic": "t", "trustedCertificates": "x" }),
                vec!["trustedCertificates"],
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(problems::<Kafka>(&config), expected, "{config}");
        }
    }

    #[test]
    fn configurations_of_queues_are_checked() {
        let cases = [
            (json!({ "brokers": ["b"], "topic": "t", "start": "latest" }), vec![]),
            (json!({ "brokers": ["b"], "topic": "a b" }), vec!["topic"]),
            (json!({ "brokers": ["b"], "topic": "t", "start": "middle" }), vec!["start"]),
        ];
        for (config, expected) in cases {
            assert_eq!(problems::<KafkaQueue>(&config), expected, "{config}");
        }
    }

    #[test]
    fn a_broker_has_a_host_and_a_port() {
        let cases = [
            ("b", Some(("b", 9092))),
            ("b:1", Some(("b", 1))),
            ("[::1]:9093", Some(("[::1]", 9093))),
            ("[::1]", Some(("[::1]", 9092))),
            ("::1", None),
            ("b:0", None),
            ("b:x", None),
            (":1", None),
            ("user@b:1", None),
        ];
        for (broker, expected) in cases {
            assert_eq!(host_and_port(broker), expected, "{broker}");
        }
    }

    #[test]
    fn names_of_topics_are_checked() {
        for (name, expected) in [("a.b_C-1", true), ("", false), ("..", false), ("a/b", false)] {
            assert_eq!(check_topic(name).is_ok(), expected, "{name}");
        }
    }
}
