//! The fields of each kind of queue.

use postrider::api::QueueKind;
use serde_json::{Map, Value, json};

use crate::form::Form;

/// How a field is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line,
    Password,
    Area,
    Number,
    Checkbox,
    /// Several values, separated by spaces or commas.
    Words,
    Choice(&'static [(&'static str, &'static str)]),
}

/// A field of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct KindField {
    /// The name in the API.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) input: Input,
    pub(super) is_required: bool,
}

const fn required(name: &'static str, label: &'static str, hint: &'static str) -> KindField {
    KindField { name, label, hint, input: Input::Line, is_required: true }
}

const fn optional(name: &'static str, label: &'static str, hint: &'static str) -> KindField {
    KindField { is_required: false, ..required(name, label, hint) }
}

const fn with(field: KindField, input: Input) -> KindField {
    KindField { input, ..field }
}

const CERTIFICATES: KindField = with(
    optional(
        "trustedCertificates",
        "Trusted certificates",
        "PEM. They are trusted exclusively; the server’s if empty.",
    ),
    Input::Area,
);

const NATS: &[KindField] = &[
    required("url", "URL", "nats:// or tls://, with user and password if there are any."),
    required("stream", "Stream", "It must exist."),
    optional("consumer", "Durable consumer", "The uid or id of this consumer if empty."),
    optional("filterSubject", "Subject", "Only messages with this subject; all if empty."),
    with(optional("token", "Token", "If the server asks for one."), Input::Password),
    with(optional("credentials", "Credentials", "The content of a .creds file."), Input::Area),
    optional(
        "ackWait",
        "Acknowledge within",
        "A message that is not acknowledged in this time is delivered again; 30s if empty.",
    ),
    CERTIFICATES,
];

const RABBITMQ: &[KindField] = &[
    required("url", "URL", "amqp:// or amqps://, with user, password and virtual host."),
    required("queue", "Queue", "It must exist."),
    with(
        optional("prefetch", "Prefetch", "Messages that the broker sends ahead; 200 if empty."),
        Input::Number,
    ),
    CERTIFICATES,
];

const REDIS: &[KindField] = &[
    required("url", "URL", "redis:// or rediss://, with user, password and database."),
    required("stream", "Stream", "The key of the stream."),
    optional(
        "group",
        "Consumer group",
        "It is created if it does not exist. The uid or id of this consumer if empty.",
    ),
    optional("bodyField", "Field with the body", "payload if empty."),
    optional(
        "ackWait",
        "Acknowledge within",
        "An entry that is not acknowledged in this time is delivered again; 60s if empty.",
    ),
    CERTIFICATES,
];

const KAFKA: &[KindField] = &[
    with(
        required("brokers", "Brokers", "host:port of the brokers to connect to first."),
        Input::Words,
    ),
    required("topic", "Topic", "It must exist."),
    with(
        optional("start", "Begin at", "In partitions that were never read before."),
        Input::Choice(&[("", "earliest"), ("latest", "latest")]),
    ),
    with(optional("tls", "Use TLS", "Connections are encrypted."), Input::Checkbox),
    with(
        optional("mechanism", "Authentication", "SASL."),
        Input::Choice(&[
            ("", "none"),
            ("PLAIN", "PLAIN"),
            ("SCRAM-SHA-256", "SCRAM-SHA-256"),
            ("SCRAM-SHA-512", "SCRAM-SHA-512"),
        ]),
    ),
    optional("username", "User", ""),
    with(optional("password", "Password", ""), Input::Password),
    CERTIFICATES,
];

const SQS: &[KindField] = &[
    required("queueUrl", "Queue URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/events"),
    required("accessKeyId", "Access key id", ""),
    with(required("secretAccessKey", "Secret access key", ""), Input::Password),
    with(
        optional("sessionToken", "Session token", "Only for temporary credentials."),
        Input::Password,
    ),
    optional("region", "Region", "That of the URL if empty."),
    optional("endpointUrl", "Address of the service", "Only if it is not that of the queue."),
];

/// The fields of a kind.
pub(super) const fn of(kind: QueueKind) -> &'static [KindField] {
    match kind {
        QueueKind::Nats => NATS,
        QueueKind::Rabbitmq => RABBITMQ,
        QueueKind::Redis => REDIS,
        QueueKind::Kafka => KAFKA,
        QueueKind::Sqs => SQS,
    }
}

/// The body that creates a consumer.
pub(super) fn creation(form: &Form, kind: QueueKind) -> Value {
    let mut body = Map::new();
    body.insert("kind".to_owned(), json!(kind.name()));
    body.insert("description".to_owned(), json!(form.text("description").unwrap_or_default()));
    body.insert("config".to_owned(), Value::Object(config(form, kind)));
    if let Some(uid) = form.text("uid") {
        body.insert("uid".to_owned(), json!(uid));
    }
    let mapping = mapping(form);
    if !mapping.is_empty() {
        body.insert("mapping".to_owned(), Value::Object(mapping));
    }
    Value::Object(body)
}

fn config(form: &Form, kind: QueueKind) -> Map<String, Value> {
    let values = of(kind).iter().filter_map(|field| {
        let value = match field.input {
            Input::Checkbox if !form.has(field.name) => return None,
            Input::Checkbox => json!(true),
            Input::Words => json!(form.words(field.name)),
            Input::Number => number(form.text(field.name)?),
            Input::Line | Input::Password | Input::Area | Input::Choice(_) => {
                json!(form.text(field.name)?)
            },
        };
        Some((field.name.to_owned(), value))
    });
    values.collect()
}

/// A number; what is none is sent as it is, so that the API explains it.
fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| json!(text), Value::from)
}

/// The mapping: the name in the form, in the API, the label and the placeholder.
pub(super) const MAPPING: [(&str, &str, &str, &str); 4] = [
    ("map_application", "application", "Application", "$.body.customer.id"),
    ("map_event_type", "eventType", "Event type", "order.{{ body.kind }}"),
    ("map_event_id", "eventId", "Event id", "$.headers.id"),
    ("map_payload", "payload", "Payload", "$.body"),
];

fn mapping(form: &Form) -> Map<String, Value> {
    let given = MAPPING
        .iter()
        .filter_map(|(field, name, ..)| Some(((*name).to_owned(), json!(form.text(field)?))));
    given.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_the_body_of_the_operation() {
        let rows = [
            (
                QueueKind::Kafka,
                "brokers=a:1,+b:2&topic=t&start=&tls=on&uid=&description=d",
                json!({
                    "kind": "kafka", "description": "d",
                    "config": { "brokers": ["a:1", "b:2"], "topic": "t", "tls": true },
                }),
            ),
            (
                QueueKind::Rabbitmq,
                "url=amqp://a&queue=q&prefetch=9&uid=u&map_application=$.a&map_event_type=t",
                json!({
                    "kind": "rabbitmq", "description": "", "uid": "u",
                    "config": { "url": "amqp://a", "queue": "q", "prefetch": 9 },
                    "mapping": { "application": "$.a", "eventType": "t" },
                }),
            ),
        ];
        for (kind, text, expected) in rows {
            assert_eq!(creation(&Form::parse(text.as_bytes()), kind), expected, "{text}");
        }
    }
}
