//! Tests of filters.

mod hostile;
mod language;
mod messages;

use bytes::Bytes;

use crate::{
    catalog::Metadata,
    filter::{Filter, Subject},
    fixtures,
    message::{Format, Message},
};

/// What most tests evaluate filters on.
const PAYLOAD: &str = r#"{
    "n": 3, "d": 2.5, "s": "héllo", "yes": true, "nothing": null, "big": 18446744073709551615,
    "list": [1, 2, 3], "m": {"a": 1, "b": {"c": "x"}}, "at": "2026-03-04T05:06:07.089Z",
    "items": [{"sku": "a", "q": 1, "tags": ["x"]}, {"sku": "b", "tags": []}]
}"#;

fn message(payload: &str) -> Message {
    Message {
        event_type: "order.created".parse().unwrap(),
        channels: vec!["eu".to_owned(), "big".to_owned()],
        tags: vec!["vip".to_owned()],
        body: Some(Bytes::copy_from_slice(payload.as_bytes())),
        format: Format::Raw {
            headers: vec![
                ("X-Kind".to_owned(), "push".to_owned()),
                ("x-many".to_owned(), "1".to_owned()),
                ("X-Many".to_owned(), "2".to_owned()),
            ],
        },
        ..fixtures::message()
    }
}

fn metadata() -> Metadata {
    [("plan".to_owned(), "pro".to_owned())].into()
}

/// `Err` contains the reason why it cannot be evaluated.
fn evaluate(filter: &str, payload: &str) -> Result<bool, String> {
    let (message, metadata) = (message(payload), metadata());
    let subject = Subject::new(&message, &metadata);
    let filter = Filter::new(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    filter.matches(&subject).map_err(|error| error.to_string())
}
