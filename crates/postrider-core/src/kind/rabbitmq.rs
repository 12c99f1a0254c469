//! Configuration of `rabbitmq` endpoints.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{
    KindConfig, Problem, ServiceUrl,
    broker::{Broker, Schemes, check_body, check_names, check_url},
    secret::without_credentials,
    service_url::decode,
};
use crate::template::{Json, Template, Text};

/// Most deliveries in flight: they are published in batches on a few channels.
const IN_FLIGHT: usize = 2_000;

/// Most messages that a consumer may have without having acknowledged them.
const MAX_PREFETCH: u16 = 5_000;

/// Most bytes of a name or a routing key.
pub const MAX_SHORT_TEXT: usize = 255;

const SCHEMES: Schemes = Schemes { plain: ("amqp", 5672), tls: ("amqps", 5671) };

/// An exchange of RabbitMQ.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rabbitmq {
    #[serde(alias = "uri")]
    url: ServiceUrl,
    trusted_certificates: Option<String>,
    /// Empty for the exchange that routes to the queue that the routing key names.
    #[serde(default)]
    pub exchange: String,
    pub routing_key: Template,
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    pub body: Option<Template<Json>>,
    pub text: Option<Template<Text>>,
    pub content_type: Option<String>,
    /// The broker writes the message to disk before it confirms it.
    #[serde(default = "yes")]
    pub persistent: bool,
    /// A message that reaches no queue is a failure.
    #[serde(default = "yes")]
    pub mandatory: bool,
}

/// A RabbitMQ queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RabbitmqQueue {
    #[serde(alias = "uri")]
    url: ServiceUrl,
    trusted_certificates: Option<String>,
    pub queue: String,
    #[serde(default = "default_prefetch")]
    pub prefetch: u16,
}

const fn yes() -> bool {
    true
}

const fn default_prefetch() -> u16 {
    200
}

/// A RabbitMQ server and how to connect to it.
#[derive(Clone, Debug)]
pub struct RabbitmqServer<'a> {
    pub broker: Broker,
    pub vhost: String,
    pub trusted: Option<&'a str>,
}

impl<'a> RabbitmqServer<'a> {
    fn new(url: &Url, trusted: Option<&'a str>) -> Result<Self, String> {
        // A URL without a path means the default virtual host, whose name is a slash.
        let vhost = match url.path().strip_prefix('/') {
            None | Some("") => "/".to_owned(),
            Some(name) => decode(name)?,
        };
        if url.query().is_some() {
            return Err("must have no query".to_owned());
        }
        Ok(Self { broker: Broker::parse(url, &SCHEMES)?, vhost, trusted })
    }
}

impl Rabbitmq {
    /// Where it is published; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<RabbitmqServer<'_>> {
        RabbitmqServer::new(&self.url, self.trusted_certificates.as_deref()).ok()
    }
}

impl RabbitmqQueue {
    /// Where the queue is; `None` only if the configuration was not checked.
    pub fn server(&self) -> Option<RabbitmqServer<'_>> {
        RabbitmqServer::new(&self.url, self.trusted_certificates.as_deref()).ok()
    }
}

fn check_server(url: &Url, problems: &mut Vec<Problem>) {
    check_url(url, &SCHEMES, problems);
    if problems.is_empty()
        && let Err(message) = RabbitmqServer::new(url, None)
    {
        problems.push(Problem::of("url", message));
    }
}

fn check_length(field: &str, text: &str, min: usize, problems: &mut Vec<Problem>) {
    if !(min..=MAX_SHORT_TEXT).contains(&text.len()) {
        let message = format!("must have {min} to {MAX_SHORT_TEXT} bytes");
        problems.push(Problem::of(field, message));
    }
}

impl KindConfig for Rabbitmq {
    fn check(&self, problems: &mut Vec<Problem>) {
        check_server(&self.url, problems);
        check_length("exchange", &self.exchange, 0, problems);
        if let Some(key) = self.routing_key.constant() {
            // The default exchange routes to the queue with this name, so there has to be one.
            let min = usize::from(self.exchange.is_empty());
            check_length("routingKey", key, min, problems);
        }
        if let Some(content_type) = &self.content_type {
            check_length("contentType", content_type, 1, problems);
        }
        check_names("headers", &self.headers, problems);
        check_body(self.body.as_ref(), self.text.as_ref(), problems);
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }

    fn max_in_flight(&self, limit: usize) -> usize {
        limit.max(IN_FLIGHT)
    }
}

impl KindConfig for RabbitmqQueue {
    fn check(&self, problems: &mut Vec<Problem>) {
        check_server(&self.url, problems);
        check_length("queue", &self.queue, 1, problems);
        if !(1..=MAX_PREFETCH).contains(&self.prefetch) {
            problems.push(Problem::of("prefetch", format!("must be 1 to {MAX_PREFETCH}")));
        }
    }

    fn address(&self) -> String {
        without_credentials(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use postrider::api::EndpointKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::kind::{Destination, Fields, parse};

    fn fields(value: Value) -> Fields {
        let Value::Object(fields) = value else { unreachable!() };
        fields
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_path() {
        let cases = [
            (json!({ "url": "amqp://r", "routingKey": "q" }), None),
            (json!({ "uri": "amqps://u:p@r/v", "routingKey": "q" }), None),
            (json!({ "url": "amqp://r", "exchange": "e", "routingKey": "" }), None),
            (json!({ "url": "amqp://r", "routingKey": "" }), Some("routingKey")),
            (json!({ "url": "redis://r", "routingKey": "q" }), Some("url")),
            (json!({ "url": "amqp://r?heartbeat=1", "routingKey": "q" }), Some("url")),
            (json!({ "url": "amqp://r", "routingKey": "x".repeat(256) }), Some("routingKey")),
        ];
        for (config, path) in cases {
            let problems =
                Destination::parse(EndpointKind::Rabbitmq, &fields(config.clone())).err();
            let found = problems.map(|problems| problems[0].path[0].clone());
            assert_eq!(found.as_deref(), path, "{config}");
        }
    }

    #[test]
    fn the_path_is_the_virtual_host() {
        for (url, vhost) in [
            ("amqp://r", "/"),
            ("amqp://r/", "/"),
            ("amqp://r/%2f", "/"),
            ("amqp://r/shop", "shop"),
        ] {
            let config = json!({ "url": url, "queue": "q" });
            let queue = parse::<RabbitmqQueue>(&fields(config)).unwrap();
            assert_eq!(queue.server().unwrap().vhost, vhost, "{url}");
        }
    }
}
