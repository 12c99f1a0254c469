//! Kinds for Amazon's services.

use super::field::{CERTIFICATES, ConfigField, Input, KindForm, field};

const ACCESS_KEY: ConfigField =
    field("accessKeyId", "Access key id", Input::Text).example("AKIA…").required();

const SECRET_KEY: ConfigField =
    field("secretAccessKey", "Secret access key", Input::Secret).required();

const SESSION: ConfigField = field("sessionToken", "Session token", Input::Secret)
    .hint("Of temporary credentials.")
    .advanced();

const ENDPOINT: ConfigField = field("endpointUrl", "Address of the service", Input::Text)
    .hint("For compatible services. By default, it is Amazon’s.")
    .example("https://storage.example.com")
    .advanced();

const GROUP: ConfigField = field("messageGroupId", "Message group", Input::Text)
    .hint("A template, for FIFO. By default, it is the id of the application.")
    .example("{{ payload.customer }}")
    .advanced();

const ATTRIBUTES: ConfigField = field("attributes", "Additional attributes", Input::Pairs)
    .hint("One name: value per line, at most 7. Values are templates.")
    .example("country: {{ payload.country }}")
    .advanced();

pub(super) const SQS: KindForm = KindForm {
    title: "Amazon SQS",
    summary: "Sends each message to a queue.",
    fields: &[
        field("queueUrl", "Queue URL", Input::Text)
            .example("https://sqs.eu-central-1.amazonaws.com/123456789012/orders")
            .required(),
        ACCESS_KEY,
        SECRET_KEY,
        field("region", "Region", Input::Text)
            .hint("Only if the queue URL does not contain it.")
            .example("eu-central-1"),
        GROUP,
        ATTRIBUTES,
        SESSION,
        ENDPOINT,
        CERTIFICATES,
    ],
};

pub(super) const SNS: KindForm = KindForm {
    title: "Amazon SNS",
    summary: "Publishes each message to a topic.",
    fields: &[
        field("topicArn", "Topic ARN", Input::Text)
            .example("arn:aws:sns:eu-central-1:123456789012:orders")
            .required(),
        ACCESS_KEY,
        SECRET_KEY,
        field("subject", "Subject of e-mails", Input::Text)
            .hint("A template.")
            .example("{{ type }}: {{ payload.name }}"),
        field("region", "Region", Input::Text)
            .hint("By default, it is the one of the topic.")
            .example("eu-central-1")
            .advanced(),
        GROUP,
        ATTRIBUTES,
        SESSION,
        ENDPOINT,
        CERTIFICATES,
    ],
};

pub(super) const S3: KindForm = KindForm {
    title: "Amazon S3",
    summary: "Writes messages as objects to a bucket of Amazon S3 or of a compatible store.",
    fields: &[
        field("bucket", "Bucket", Input::Text).example("acme-events").required(),
        field("region", "Region", Input::Text).example("eu-central-1").required(),
        ACCESS_KEY,
        SECRET_KEY,
        ENDPOINT,
        field(
            "format",
            "Objects",
            Input::Choice(&[("", "Many messages, one in each line"), ("json", "One message each")]),
        ),
        field("key", "Beginning of the key", Input::Text)
            .hint("A template. By default, objects are in folders by date and hour.")
            .example("{{ date }}/{{ hour }}/"),
        field("gzip", "Compress objects", Input::Flag(false)),
        field("maxMessages", "Messages in an object", Input::Number)
            .hint("1 to 10,000; by default, 1,000.")
            .example("1000")
            .advanced(),
        field("maxBytes", "Bytes in an object", Input::Number)
            .hint("65,536 to 33,554,432; by default, 8,388,608.")
            .advanced(),
        field("maxWait", "Longest wait", Input::Text)
            .hint("100ms to 60s; by default, 10s.")
            .example("10s")
            .advanced(),
        field(
            "checkExisting",
            "Leave out messages that the bucket may have already",
            Input::Flag(true),
        )
        .advanced(),
        SESSION,
        CERTIFICATES,
    ],
};
