//! Kinds that publish to message brokers.

use super::field::{CERTIFICATES, ConfigField, Input, KindForm, field};

const HEADERS: ConfigField = field("headers", "Additional headers", Input::Pairs)
    .hint("One name: value per line. Values are templates.")
    .example("customer: {{ payload.customer.id }}")
    .advanced();

const BODY: ConfigField = field("body", "Body", Input::Long)
    .hint("A template whose values are inserted as JSON. By default, the body is the payload.")
    .example(r#"{"order": {{ payload.id }}}"#)
    .advanced();

const TEXT: ConfigField = field("text", "Body as text", Input::Long)
    .hint("A template whose values are inserted as text, instead of a body.")
    .example("Order {{ payload.id }}")
    .advanced();

pub(super) const NATS: KindForm = KindForm {
    title: "NATS JetStream",
    summary: "Publishes each message to a subject.",
    fields: &[
        field("url", "Server URL", Input::Text)
            .hint("With tls:// to require TLS.")
            .example("tls://nats.example.com")
            .required(),
        field("subject", "Subject", Input::Text)
            .hint("A template, without spaces and wildcards.")
            .example("orders.{{ type }}")
            .required(),
        field("credentials", "Credentials file", Input::SecretText)
            .hint("The contents of the file, JWT and seed. Use one way to authenticate."),
        field("token", "Token", Input::Secret),
        field("nkey", "Seed of an NKey", Input::Secret),
        HEADERS,
        BODY,
        TEXT,
        CERTIFICATES,
    ],
};

pub(super) const RABBITMQ: KindForm = KindForm {
    title: "RabbitMQ",
    summary: "Publishes each message to an exchange.",
    fields: &[
        field("url", "Server URL", Input::Text)
            .hint("With amqps:// for TLS. Percent-encode special characters of the password.")
            .example("amqps://postrider:password@rabbitmq.example.com/shop")
            .required(),
        field("exchange", "Exchange", Input::Text)
            .hint("Empty for the default exchange, which routes to the queue that the routing key names.")
            .example("events"),
        field("routingKey", "Routing key", Input::Text)
            .hint("A template.")
            .example("{{ type }}")
            .required(),
        HEADERS,
        BODY,
        TEXT,
        field("contentType", "Content type", Input::Text).example("application/json").advanced(),
        field("persistent", "Durable queues write the message to disk", Input::Flag(true))
            .advanced(),
        field("mandatory", "A message that reaches no queue is a failure", Input::Flag(true))
            .advanced(),
        CERTIFICATES,
    ],
};

pub(super) const MQTT: KindForm = KindForm {
    title: "MQTT",
    summary: "Publishes each message to a topic of an MQTT 5 broker.",
    fields: &[
        field("url", "Broker URL", Input::Text)
            .hint("With mqtts:// for TLS; without user name and password.")
            .example("mqtts://broker.example.com")
            .required(),
        field("topic", "Topic", Input::Text)
            .hint("A template, without + and #.")
            .example("orders/{{ type }}")
            .required(),
        field("username", "User name", Input::Text).example("postrider"),
        field("password", "Password", Input::Secret),
        field(
            "retain",
            "Keep the last message of a topic for later subscribers",
            Input::Flag(false),
        ),
        field("messageExpiry", "Expiry", Input::Text)
            .hint("How long the broker keeps a message for subscribers that are not connected.")
            .example("24h")
            .advanced(),
        field("clientId", "Client id", Input::Text)
            .hint("What the client id begins with.")
            .advanced(),
        HEADERS,
        CERTIFICATES,
    ],
};

pub(super) const KAFKA: KindForm = KindForm {
    title: "Kafka",
    summary: "Writes each message as a record to a topic.",
    fields: &[
        field("brokers", "Brokers", Input::Lines)
            .hint("One host:port per line. They name the other brokers.")
            .example("kafka-1.example.com:9092")
            .required(),
        field("topic", "Topic", Input::Text)
            .hint("A template. The topic must exist.")
            .example("orders")
            .required(),
        field("key", "Key", Input::Text)
            .hint("A template. Records with the same key go to the same partition.")
            .example("{{ payload.customer.id }}"),
        field("tls", "Encrypt connections (TLS)", Input::Flag(false)),
        field("username", "User name", Input::Text).example("postrider"),
        field("password", "Password", Input::Secret),
        field(
            "mechanism",
            "Authentication",
            Input::Choice(&[
                ("", "PLAIN"),
                ("SCRAM-SHA-256", "SCRAM-SHA-256"),
                ("SCRAM-SHA-512", "SCRAM-SHA-512"),
            ]),
        ),
        field("compression", "Compression", Input::Choice(&[("", "None"), ("gzip", "gzip")]))
            .advanced(),
        HEADERS,
        CERTIFICATES,
    ],
};
