//! The names and the contents of objects.
//!
//! The name of an object says which messages it may contain, so that those that are in the bucket
//! already are found without an index.

use bytes::Bytes;
use postrider::MessageId;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{message::Message, template::Event};

/// Most bytes of what a key begins with. The store allows 1,024 for the whole key.
const MAX_PREFIX: usize = 800;

const NDJSON: &str = ".ndjson";
const GZIP: &str = ".gz";

/// What the template of a key sees: the message and the parts of its time, in UTC.
#[derive(Debug, Serialize)]
pub(super) struct KeyValues<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(rename = "eventId")]
    event_id: Option<&'a str>,
    timestamp: &'a str,
    /// `2026-11-27`
    date: &'a str,
    year: &'a str,
    month: &'a str,
    day: &'a str,
    hour: &'a str,
    minute: &'a str,
    application: &'a str,
    channels: &'a [String],
    tags: &'a [String],
    payload: &'a Value,
}

impl<'a> KeyValues<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        let time = |begin, end| event.timestamp.get(begin..end).unwrap_or_default();
        Self {
            id: &event.id,
            event_type: &event.event_type,
            event_id: event.event_id.as_deref(),
            timestamp: &event.timestamp,
            date: time(0, 10),
            year: time(0, 4),
            month: time(5, 7),
            day: time(8, 10),
            hour: time(11, 13),
            minute: time(14, 16),
            application: &event.application,
            channels: &event.channels,
            tags: &event.tags,
            payload: &event.payload,
        }
    }
}

/// A key's beginning without what no key may have.
pub(super) fn clean(rendered: &str) -> Result<String, String> {
    let mut clean = String::with_capacity(rendered.len());
    for c in rendered.chars().map(|c| if c.is_control() { '_' } else { c }) {
        if c != '/' || !(clean.is_empty() || clean.ends_with('/')) {
            clean.push(c);
        }
    }
    if clean.len() > MAX_PREFIX {
        return Err(format!("`key` has more than {MAX_PREFIX} bytes for this message; shorten it"));
    }
    if clean.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("`key` contains `.` or `..` as a folder for this message; change it".to_owned());
    }
    Ok(clean)
}

/// The key of the object that contains one message alone.
pub fn key_of_message(prefix: &str, id: MessageId, is_gzip: bool) -> String {
    format!("{prefix}{id}.json{}", if is_gzip { GZIP } else { "" })
}

/// The name of an object with many messages, after the beginning of its key. Names sort by the
/// newest message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchName {
    pub oldest: MessageId,
    pub newest: MessageId,
    pub is_gzip: bool,
}

impl BatchName {
    /// The key of the object with these messages, at least one. The same messages in the same
    /// order always have the same key.
    pub fn key(prefix: &str, ids: &[MessageId], is_gzip: bool) -> Option<String> {
        let (oldest, newest) = (ids.iter().min()?, ids.iter().max()?);
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id.as_u128().to_be_bytes());
        }
        let hash = hash.finalize();
        let hash = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        let gzip = if is_gzip { GZIP } else { "" };
        Some(format!("{prefix}{newest}-{oldest}-{hash:08x}{NDJSON}{gzip}"))
    }

    /// A key that sorts before all objects that may contain this message or a newer one.
    pub fn search_from(prefix: &str, oldest: MessageId) -> String {
        format!("{prefix}{oldest}")
    }

    /// Reads a key; `None` if it is not one of ours.
    pub fn parse(prefix: &str, key: &str) -> Option<Self> {
        let name = key.strip_prefix(prefix)?;
        let (name, is_gzip) = name.strip_suffix(GZIP).map_or((name, false), |name| (name, true));
        let mut parts = name.strip_suffix(NDJSON)?.split('-');
        let (newest, oldest) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let is_ours = parts.next().is_some() && parts.next().is_none();
        is_ours.then_some(Self { oldest, newest, is_gzip })
    }

    pub fn may_contain(&self, id: MessageId) -> bool {
        (self.oldest..=self.newest).contains(&id)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    id: MessageId,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(rename = "eventId", skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    timestamp: String,
    application: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    channels: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    payload: &'a RawValue,
}

/// The message as a line, with its end.
pub fn line(message: &Message, body: &Bytes) -> String {
    let payload = payload(body);
    let line = Line {
        id: message.id,
        event_type: message.event_type.as_str(),
        event_id: message.event_id.as_ref().map(ToString::to_string),
        timestamp: message.created_at().to_rfc3339(),
        application: message.application.to_string(),
        channels: &message.channels,
        tags: &message.tags,
        payload: &payload,
    };
    let mut text = serde_json::to_string(&line).expect("texts and JSON are plain JSON");
    text.push('\n');
    text
}

/// The payload as it was published, but in one line. What is not JSON becomes a text.
fn payload(body: &Bytes) -> Box<RawValue> {
    // Within JSON, line ends are between values only; texts have them escaped.
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let json = std::str::from_utf8(body).ok().map(one_line);
    json.and_then(|text| RawValue::from_string(text).ok()).unwrap_or_else(|| {
        let text = Value::String(String::from_utf8_lossy(body).into_owned()).to_string();
        RawValue::from_string(text).expect("a text is JSON")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn ids(numbers: &[u64]) -> Vec<MessageId> {
        numbers.iter().map(|number| MessageId::from_parts(number << 20, 1 << 63)).collect()
    }

    #[test]
    fn the_key_of_a_batch_says_which_messages_it_may_contain() {
        let all = ids(&[5, 3, 9]);
        let key = BatchName::key("a/", &all, true).unwrap();
        let name = BatchName::parse("a/", &key).unwrap();
        assert_eq!(name, BatchName { oldest: all[1], newest: all[2], is_gzip: true });
        assert_eq!(BatchName::key("a/", &all, true).unwrap(), key, "it is always the same");
        assert_ne!(BatchName::key("a/", &ids(&[3, 6, 9]), true).unwrap(), key);
        for (number, is_possible) in [(2, false), (3, true), (4, true), (9, true), (10, false)] {
            assert_eq!(name.may_contain(ids(&[number])[0]), is_possible, "{number}");
        }
        for other in ["a/readme.ndjson", "a/x-y-z.ndjson", "b/1.ndjson", "a/msg_1.json"] {
            assert_eq!(BatchName::parse("a/", other), None, "{other}");
        }
    }

    #[test]
    fn a_search_begins_before_every_object_that_may_contain_the_message() {
        let from = BatchName::search_from("a/", ids(&[4])[0]);
        for (messages, is_found) in
            [(&[1, 4][..], true), (&[4], true), (&[2, 9], true), (&[7], true), (&[1, 3], false)]
        {
            let key = BatchName::key("a/", &ids(messages), false).unwrap();
            assert_eq!(key > from, is_found, "{messages:?}");
        }
    }

    #[test]
    fn a_message_is_one_line_with_its_payload_unchanged() {
        let message = fixtures::message();
        for (body, payload) in [
            ("{\n \"n\": 1.0,\r\n \"a\": \"\\n\" }", "{  \"n\": 1.0,   \"a\": \"\\n\" }"),
            ("{\"big\":12345678901234567890123}", "{\"big\":12345678901234567890123}"),
            ("not\nJSON", "\"not\\nJSON\""),
        ] {
            let line = line(&message, &Bytes::from_static(body.as_bytes()));
            assert!(line.ends_with(&format!("\"payload\":{payload}}}\n")), "{line}");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["id"], message.id.to_string());
        }
    }
}
