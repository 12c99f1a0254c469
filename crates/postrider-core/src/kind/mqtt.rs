//! Configuration of `mqtt` endpoints.

mod reason;

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use super::{
    Credential, KindConfig, Problem, ServiceUrl, broker::check_names, secret::without_credentials,
    time,
};
use crate::template::{Template, Text};

pub use self::reason::{Reason, confirmation, connection, disconnection};

/// An MQTT topic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mqtt {
    /// `mqtt://host:port`, or `mqtts://…` for TLS.
    pub url: ServiceUrl,
    pub topic: Template<Text>,
    /// The broker keeps the last message of the topic for later subscribers.
    #[serde(default)]
    pub retain: bool,
    pub username: Option<String>,
    pub password: Option<Credential>,
    /// How the client identifies itself begins with this.
    pub client_id: Option<String>,
    /// How long the broker keeps a message for subscribers that are not connected.
    #[serde(default, deserialize_with = "time::deserialize_option")]
    message_expiry: Option<Duration>,
    /// Sent as user properties.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// Certificate authorities that are trusted instead of the installation's, in PEM.
    pub trusted_certificates: Option<String>,
}

/// Most messages that may wait for the broker's confirmation.
const MAX_IN_FLIGHT: usize = 2_000;

/// Most bytes of a text in the protocol.
const MAX_TEXT: usize = 65_535;

const MAX_CLIENT_ID: usize = 100;

impl Mqtt {
    pub fn uses_tls(&self) -> bool {
        self.url.scheme() == "mqtts"
    }

    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(if self.uses_tls() { 8883 } else { 1883 })
    }

    /// Seconds after which the broker forgets a message.
    pub fn expiry_seconds(&self) -> Option<u32> {
        self.message_expiry.and_then(|expiry| u32::try_from(expiry.as_secs()).ok())
    }
}

impl KindConfig for Mqtt {
    const SECRETS: &'static [&'static str] = &["password"];

    fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |field, message: &str| problems.push(Problem::of(field, message));
        if !["mqtt", "mqtts"].contains(&self.url.scheme()) || self.url.host_str().is_none() {
            problem("url", "must be `mqtt://host:port` or `mqtts://host:port`");
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            problem("url", "must have no credentials; use `username` and `password`");
        }
        if !["", "/"].contains(&self.url.path()) || self.url.query().is_some() {
            problem("url", "must have neither a path nor a query");
        }
        if self.password.is_some() && self.username.is_none() {
            problem("password", "must have a `username`");
        }
        if self.client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_CLIENT_ID) {
            problem("clientId", "must have 1 to 100 bytes");
        }
        if self.message_expiry.is_some() && self.expiry_seconds().is_none_or(|it| it == 0) {
            problem("messageExpiry", "must be between 1s and 136 years");
        }
        if self.trusted_certificates.is_some() && !self.uses_tls() {
            problem("trustedCertificates", "has no effect without TLS; use `mqtts://` in `url`");
        }
        check_names("headers", &self.headers, problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(MAX_IN_FLIGHT)
    }
}

/// Whether a message can be published to the topic. Wildcards are for subscribers only.
pub fn check_topic(topic: &str) -> Result<(), &'static str> {
    match topic {
        "" => Err("the topic is empty; correct the template `topic`"),
        _ if topic.len() > MAX_TEXT => Err("the topic is longer than 65,535 bytes"),
        _ if topic.contains(['+', '#']) => {
            Err("the topic contains `+` or `#`, which are wildcards; correct the template `topic`")
        },
        _ if topic.contains('\0') => Err("the topic contains a zero byte"),
        _ => Ok(()),
    }
}

/// Whether a user property fits into the protocol.
pub fn check_property(value: &str) -> Result<(), &'static str> {
    match value {
        _ if value.len() > MAX_TEXT => Err("a header is longer than 65,535 bytes"),
        _ if value.contains('\0') => Err("a header contains a zero byte"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::{mask, parse};

    fn problems(config: Value) -> Vec<String> {
        let Value::Object(fields) = config else { unreachable!() };
        let found = parse::<Mqtt>(&fields).err().unwrap_or_default();
        found.into_iter().map(|problem| problem.path.join(".")).collect()
    }

    #[test]
    fn configurations_are_checked() {
        let cases = [
            (json!({ "url": "mqtt://b", "topic": "t" }), vec![]),
            (json!({ "url": "mqtts://b:1", "topic": "{{ type }}", "retain": true }), vec![]),
            (json!({ "url": "http://b", "topic": "t" }), vec!["url"]),
            (json!({ "url": "mqtt://u:p@b", "topic": "t" }), vec!["url"]),
            (json!({ "url": "mqtt://b/path", "topic": "t" }), vec!["url"]),
            (json!({ "url": "mqtt://b", "topic": "t", "password": "p" }), vec!["password"]),
            (json!({ "url": "mqtt://b", "topic": "t", "clientId": "" }), vec!["clientId"]),
            (
                json!({ "url": "mqtt://b", "topic": "t", "messageExpiry": "5ms" }),
                vec!["messageExpiry"],
            ),
            (
                json!({ "url": "mqtt://b", "topic": "t", "trustedCertificates": "x" }),
                vec!["trustedCertificates"],
            ),
            (json!({ "url": "mqtt://b", "topic": "{% if %}" }), vec!["topic"]),
        ];
        for (config, expected) in cases {
            assert_eq!(problems(config.clone()), expected, "{config}");
        }
    }

    #[test]
    fn the_password_is_masked() {
        let Value::Object(fields) = json!({ "url": "mqtt://b", "password": "p" }) else {
            unreachable!()
        };
        let shown = mask(postrider::api::EndpointKind::Mqtt, &fields);
        assert_eq!(Value::Object(shown), json!({ "url": "mqtt://b", "password": "***" }));
    }

    #[test]
    fn topics_with_wildcards_are_for_subscribers() {
        let cases = [("a/b", true), ("", false), ("a/+", false), ("#", false), ("a\0b", false)];
        for (topic, expected) in cases {
            assert_eq!(check_topic(topic).is_ok(), expected, "{topic:?}");
        }
        assert!(check_topic(&"x".repeat(MAX_TEXT + 1)).is_err());
    }
}
