//! The event that paths lead into, with the payload as it was written.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    message::Message,
    path::{Path, Step, find},
};

/// An event. It has the fields of [`crate::template::Event`], but its payload keeps the digits of
/// its numbers.
pub(super) struct Document<'a> {
    message: &'a Message,
    payload: Cow<'a, RawValue>,
}

/// The fields of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    timestamp: String,
    application: String,
    channels: &'a [String],
    tags: &'a [String],
    payload: &'a RawValue,
}

impl<'a> Document<'a> {
    /// The message with the body that is to be delivered.
    pub(super) fn new(message: &'a Message, body: &'a Bytes) -> Self {
        let payload = match serde_json::from_slice::<&RawValue>(body) {
            Ok(json) => Cow::Borrowed(json),
            Err(_) => Cow::Owned(raw(&String::from_utf8_lossy(body))),
        };
        Self { message, payload }
    }

    /// The JSON that the path leads to, if there is a value other than `null`.
    pub(super) fn find(&self, path: &Path) -> Option<Cow<'_, RawValue>> {
        let found = match path.steps() {
            [] => Some(Cow::Owned(self.whole())),
            [Step::Item(_), ..] => None,
            [Step::Field(name), rest @ ..] => self.find_in(name, rest),
        };
        found.filter(|value| value.get() != "null")
    }

    fn find_in(&self, field: &str, rest: &[Step]) -> Option<Cow<'_, RawValue>> {
        let message = self.message;
        let own = match field {
            "payload" => return find(&self.payload, rest).map(Cow::Borrowed),
            "id" => raw(&message.id.to_string()),
            "type" => raw(&message.event_type.to_string()),
            "eventId" => raw(&message.event_id.as_ref().map(ToString::to_string)),
            "timestamp" => raw(&message.created_at().to_rfc3339()),
            "application" => raw(&message.application.to_string()),
            "channels" => raw(&message.channels),
            "tags" => raw(&message.tags),
            _ => return None,
        };
        find(&own, rest).map(|found| Cow::Owned(found.to_owned()))
    }

    fn whole(&self) -> Box<RawValue> {
        let message = self.message;
        raw(&Whole {
            id: message.id.to_string(),
            event_type: message.event_type.to_string(),
            event_id: message.event_id.as_ref().map(ToString::to_string),
            timestamp: message.created_at().to_rfc3339(),
            application: message.application.to_string(),
            channels: &message.channels,
            tags: &message.tags,
            payload: &self.payload,
        })
    }
}

/// The first steps of paths that lead anywhere.
pub(super) const FIELDS: [&str; 8] =
    ["id", "type", "eventId", "timestamp", "application", "channels", "tags", "payload"];

fn raw<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("texts and lists of texts can be serialized")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{fixtures, template::Event};

    fn text(body: &'static str, path: &str) -> Option<String> {
        let (message, body) = (fixtures::message(), Bytes::from_static(body.as_bytes()));
        let document = Document::new(&message, &body);
        let found = document.find(&Path::parse(path).unwrap());
        found.map(|value| value.get().to_owned())
    }

    #[test]
    fn the_whole_event_is_the_one_that_templates_see() {
        for body in [r#"{"n": [1, 2.50]}"#, "not JSON", ""] {
            let message = Message {
                event_id: Some("e-1".parse().unwrap()),
                tags: vec!["a".to_owned()],
                ..fixtures::message()
            };
            let body = Bytes::from_static(body.as_bytes());
            let whole = Document::new(&message, &body).whole();
            let event = serde_json::to_value(Event::new(&message, &body)).unwrap();
            assert_eq!(serde_json::from_str::<Value>(whole.get()).unwrap(), event);
        }
        assert!(text(r#"{"n":1.50}"#, "$").unwrap().contains(r#""payload":{"n":1.50}"#));
    }

    #[test]
    fn every_field_of_an_event_can_be_found() {
        for field in FIELDS {
            let is_set = text("{}", field).is_some();
            assert_eq!(is_set, field != "eventId", "{field}");
        }
        assert_eq!(text("{}", "id").unwrap(), format!("\"{}\"", fixtures::message().id));
        assert_eq!(text(r#"{"a":null}"#, "payload.a"), None);
        assert_eq!(text("plain", "payload").unwrap(), "\"plain\"");
        assert_eq!(text("{}", "other"), None);
    }
}
