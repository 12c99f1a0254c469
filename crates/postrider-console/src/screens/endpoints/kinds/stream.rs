//! Kinds that append to streams.

use super::field::{CERTIFICATES, Input, KindForm, field};

pub(super) const REDIS: KindForm = KindForm {
    title: "Redis stream",
    summary: "Appends each message to a stream.",
    fields: &[
        field("url", "Server URL", Input::Text)
            .hint("With rediss:// for TLS. Percent-encode special characters of the password.")
            .example("rediss://postrider:password@redis.example.com/0")
            .required(),
        field("stream", "Stream", Input::Text)
            .hint("A template of the stream’s key.")
            .example("orders")
            .required(),
        field("maxLength", "Entries to keep", Input::Number)
            .hint("About how many entries the stream keeps. By default, all.")
            .example("100000"),
        field("fields", "Fields", Input::Pairs)
            .hint("One name: value per line, which replace id, type, timestamp and payload. Values are templates.")
            .example("id: {{ id }}")
            .advanced(),
        field("replicas", "Replicas that must have the entry", Input::Number)
            .hint("0 to 10; by default, none.")
            .example("1")
            .advanced(),
        CERTIFICATES,
    ],
};

pub(super) const LIVE: KindForm = KindForm {
    title: "Live stream",
    summary: "Web pages and programs read each message within milliseconds.",
    fields: &[
        field("allowedOrigins", "Pages that may read it", Input::Lines)
            .hint("One origin per line, or * for all pages. By default, only pages of the server itself.")
            .example("https://app.example.com"),
        field("envelope", "Wrap the payload in id, type, timestamp and channels", Input::Flag(true)),
        field(
            "event",
            "Name of the events",
            Input::Choice(&[
                ("", "message, for onmessage"),
                ("type", "The event type, for addEventListener"),
            ]),
        ),
        field("heartbeat", "Heartbeat", Input::Text)
            .hint("How long a stream may be silent, 1s to 5m; by default, 15s.")
            .example("15s")
            .advanced(),
        field("maxReaders", "Most readers on each node", Input::Number)
            .hint("By default, as many as the server permits.")
            .advanced(),
    ],
};

pub(super) const POLLING: KindForm = KindForm {
    title: "Polling",
    summary: "Keeps messages for clients that fetch them when they like, without a public URL.",
    fields: &[],
};
