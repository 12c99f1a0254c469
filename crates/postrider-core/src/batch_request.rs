//! The request with which an endpoint gets several messages: its id and its body.

use std::{fmt::Write as _, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use postrider::MessageId;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{
    message::Message,
    transformation::argument::{self, ArgumentError},
};

/// Bytes of the digest in an id.
const ID_BYTES: usize = 16;

/// The id of a batch, for deduplication: the same if the same messages are sent again.
pub fn id<'a>(messages: impl IntoIterator<Item = &'a MessageId>) -> String {
    let mut hash = Sha256::new();
    for message in messages {
        hash.update(message.as_u128().to_be_bytes());
    }
    let mut id = "batch_".to_owned();
    for byte in &hash.finalize()[..ID_BYTES] {
        // Writing to a string does not fail.
        write!(id, "{byte:02x}").ok();
    }
    id
}

#[derive(Serialize)]
struct Body<'a> {
    events: Vec<Event<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    id: String,
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    /// In place of the payload, if that is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// The body of a batch that no transformation changes: `{"events": [...]}` in JSON.
pub fn body(messages: &[Arc<Message>]) -> Bytes {
    let body = Body { events: messages.iter().map(|it| event(it)).collect() };
    // Strings and checked JSON can always be written.
    Bytes::from(serde_json::to_vec(&body).unwrap_or_default())
}

fn event(message: &Message) -> Event<'_> {
    let (payload, payload_base64) = match argument::payload(message) {
        Ok(payload) => (Some(payload), None),
        Err(ArgumentError::Binary | ArgumentError::Compressed | ArgumentError::Expunged) => {
            (None, Some(STANDARD.encode(message.body.as_deref().unwrap_or_default())))
        },
    };
    Event {
        id: message.id.to_string(),
        event_type: message.event_type.as_str(),
        event_id: message.event_id.as_ref().map(ToString::to_string),
        timestamp: message.created_at().to_rfc3339(),
        payload,
        payload_base64,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{fixtures, message::Format};

    #[test]
    fn an_id_depends_on_the_messages_and_their_order_alone() {
        let ids: Vec<_> = (1..4).map(MessageId::from_u128).collect();
        let batch = id(&ids);
        assert_eq!(batch.len(), "batch_".len() + 2 * ID_BYTES);
        assert_eq!(batch, id(&ids));
        assert_ne!(batch, id(&ids[..2]));
        assert_ne!(batch, id(ids.iter().rev()));
    }

    #[test]
    fn a_batch_has_its_events_in_order() {
        let json = fixtures::message();
        let headers = vec![("content-type".to_owned(), "image/png".to_owned())];
        let binary = Message {
            body: Some(Bytes::from_static(b"\xff\x00")),
            format: Format::Raw { headers },
            ..fixtures::message()
        };
        let (first, second) = (Arc::new(json), Arc::new(binary));
        let made: Value = serde_json::from_slice(&body(&[Arc::clone(&first), second])).unwrap();
        let timestamp = first.created_at().to_rfc3339();
        assert_eq!(made["events"][0]["payload"], json!({ "name": "Ada" }));
        assert_eq!(made["events"][0]["eventType"], "user.created");
        assert_eq!(made["events"][0]["id"], first.id.to_string());
        assert_eq!(made["events"][0]["timestamp"], timestamp);
        assert_eq!(made["events"][1]["payloadBase64"], "/wA=");
        assert!(made["events"][1].get("payload").is_none());
    }
}
