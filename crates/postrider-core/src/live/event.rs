//! The text of events, as Server-Sent Events and as messages of a WebSocket.
//!
//! The text of an event is made once, and all readers get the same bytes.

use std::{
    fmt::{self, Write},
    str::FromStr,
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use postrider::{EventTypeName, MessageId, id::ParseIdError};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    kind::live::{EventName, Live},
    message::Message,
    time::Timestamp,
};

/// An event of a stream.
#[derive(Debug)]
pub struct LiveEvent {
    pub id: MessageId,
    /// The id for readers: that of the message, and in a window its mark.
    reader_id: EventId,
    /// When it was delivered.
    pub at: Timestamp,
    pub event_type: EventTypeName,
    pub channels: Vec<String>,
    /// As a Server-Sent Event.
    pub sse: Bytes,
    name: EventName,
    data: Bytes,
    is_json: bool,
    /// As a message of a WebSocket. It is made for the first reader that wants it.
    message: OnceLock<Bytes>,
}

/// The id of an event for readers, which they send when they come back.
///
/// The id of the message alone says which events a reader has got only if all nodes publish in the
/// same order, which they do not. So the events of a window also have its mark: a reader that comes
/// back to the same window goes on exactly after the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    pub message: MessageId,
    pub mark: Option<Mark>,
}

/// Identifies a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub u32);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mark {
            Some(Mark(mark)) => write!(f, "{}.{mark:08x}", self.message),
            None => self.message.fmt(f),
        }
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (message, mark) = text.split_once('.').unwrap_or((text, ""));
        let mark = u32::from_str_radix(mark, 16).ok().map(Mark);
        Ok(Self { message: message.parse()?, mark })
    }
}

/// The data of an event with an envelope.
#[derive(Serialize)]
struct Envelope<'a> {
    id: MessageId,
    #[serde(rename = "type")]
    event_type: &'a EventTypeName,
    timestamp: String,
    channels: &'a [String],
    payload: Payload<'a>,
}

/// A body: JSON as it was published, or any other as a text.
enum Payload<'a> {
    Json(&'a RawValue),
    Text(&'a str),
}

impl Serialize for Payload<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(raw) => raw.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A message of a WebSocket, with the fields of a Server-Sent Event.
#[derive(Serialize)]
struct SocketMessage<'a> {
    id: String,
    event: &'a str,
    data: Payload<'a>,
}

impl LiveEvent {
    /// The event for a message with the body that is to be delivered.
    pub fn new(
        config: &Live,
        message: &Message,
        body: &[u8],
        at: Timestamp,
        mark: Option<Mark>,
    ) -> Self {
        let text = String::from_utf8_lossy(body);
        let raw = serde_json::from_slice::<&RawValue>(body).ok();
        let is_json = raw.is_some() || config.envelope;
        let data = if config.envelope {
            to_json(&Envelope {
                id: message.id,
                event_type: &message.event_type,
                timestamp: message.created_at().to_rfc3339(),
                channels: &message.channels,
                payload: raw.map_or(Payload::Text(&text), Payload::Json),
            })
        } else {
            text.into_owned()
        };
        let name = event_name(config.event, &message.event_type);
        let reader_id = EventId { message: message.id, mark };
        let mut sse = format!("id: {reader_id}\nevent: {name}\n");
        write_data(&mut sse, &data);
        Self {
            id: message.id,
            reader_id,
            at,
            event_type: message.event_type.clone(),
            channels: message.channels.clone(),
            sse: sse.into(),
            name: config.event,
            data: data.into(),
            is_json,
            message: OnceLock::new(),
        }
    }

    /// The event as a message of a WebSocket.
    pub fn socket_message(&self) -> Bytes {
        self.message.get_or_init(|| self.to_socket_message().into()).clone()
    }

    fn to_socket_message(&self) -> String {
        let raw = serde_json::from_slice::<&RawValue>(&self.data).ok().filter(|_| self.is_json);
        let text = String::from_utf8_lossy(&self.data);
        to_json(&SocketMessage {
            id: self.reader_id.to_string(),
            event: event_name(self.name, &self.event_type),
            data: raw.map_or(Payload::Text(&text), Payload::Json),
        })
    }

    /// Memory that it takes, roughly.
    pub fn size(&self) -> usize {
        const OWN: usize = 512;
        OWN + self.sse.len() + self.data.len()
    }
}

fn event_name(name: EventName, event_type: &EventTypeName) -> &str {
    match name {
        EventName::Message => "message",
        EventName::Type => event_type.as_str(),
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and valid JSON serialize")
}

/// The lines of an event's data, and the empty line that ends it.
fn write_data(sse: &mut String, data: &str) {
    let data = data.replace("\r\n", "\n").replace('\r', "\n");
    for line in data.split('\n') {
        sse.push_str("data: ");
        sse.push_str(line);
        sse.push('\n');
    }
    sse.push('\n');
}

/// A comment, which clients ignore. It keeps the connection open.
pub const fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// How long a client waits before it connects again.
pub fn retry(after: Duration) -> Bytes {
    format!("retry: {}\n\n", after.as_millis()).into()
}

/// The position of a reader that has received no event yet.
pub fn seen(id: MessageId) -> Bytes {
    format!("id: {id}\n\n").into()
}

/// Something that the server says about the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    TokenExpired,
    TokenRevoked,
    TooSlow,
    /// The connection is old, or the server shuts down.
    Reconnect,
    EndpointGone,
    StoreUnavailable,
}

impl StreamEnd {
    /// Identifies the reason for programs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::TooSlow => "too_slow",
            Self::Reconnect => "reconnect",
            Self::EndpointGone => "endpoint_gone",
            Self::StoreUnavailable => "unavailable",
        }
    }

    /// The reason for people, and what to do.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::TokenExpired => "the token has expired; create a new one",
            Self::TokenRevoked => "the token was revoked",
            Self::TooSlow => {
                "events were read too slowly; connect again with the id of the last one"
            },
            Self::Reconnect => "connect again with the id of the last event",
            Self::EndpointGone => "the endpoint was deleted, disabled or changed its kind",
            Self::StoreUnavailable => {
                "stored events cannot be read now; connect again with the id of the last event"
            },
        }
    }

    /// The code of the frame that closes a WebSocket.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::TokenExpired => 4_401,
            Self::TokenRevoked => 4_403,
            Self::EndpointGone => 4_404,
            Self::Reconnect => 1_012,
            Self::TooSlow | Self::StoreUnavailable => 1_013,
        }
    }
}

/// Something that the server says about the stream, as a Server-Sent Event or as a message of a
/// WebSocket.
pub fn control(event: &str, data: &serde_json::Value, is_socket: bool) -> Bytes {
    if is_socket {
        return serde_json::json!({ "event": event, "data": data }).to_string().into();
    }
    let mut sse = String::new();
    // Writing to a text cannot fail.
    writeln!(sse, "event: {event}").ok();
    write_data(&mut sse, &data.to_string());
    sse.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn event(envelope: bool, name: EventName, body: &[u8]) -> LiveEvent {
        let config = Live {
            allowed_origins: Vec::new(),
            envelope,
            event: name,
            max_readers: None,
            heartbeat: Duration::from_secs(1),
        };
        let message = Message { channels: vec!["one".to_owned()], ..fixtures::message() };
        LiveEvent::new(&config, &message, body, Timestamp::default(), None)
    }

    #[track_caller]
    fn check(event: &LiveEvent, name: &str, sse: &[&str], socket: &str) {
        let id = fixtures::message().id;
        let lines = sse.iter().flat_map(|line| ["data: ", line, "\n"]).collect::<String>();
        let expected = format!("id: {id}\nevent: {name}\n{lines}\n");
        assert_eq!(String::from_utf8_lossy(&event.sse), expected);
        let expected = format!(r#"{{"id":"{id}","event":"{name}","data":{socket}}}"#);
        assert_eq!(String::from_utf8_lossy(&event.socket_message()), expected);
    }

    #[test]
    fn the_body_is_sent_as_it_was_published() {
        let body = br#"{"z":1.0,"a":12345678901234567890123}"#;
        let text = std::str::from_utf8(body).unwrap();
        let event = event(false, EventName::Type, body);
        check(&event, "user.created", &[text], text);
    }

    #[test]
    fn the_envelope_has_the_facts_of_the_message() {
        let id = fixtures::message().id;
        let time = fixtures::message().created_at().to_rfc3339();
        let head = format!(
            r#"{{"id":"{id}","type":"user.created","timestamp":"{time}","channels":["one"],"payload":"#
        );
        let data = format!("{head}{{\"a\":1.0}}}}");
        check(&event(true, EventName::Message, br#"{"a":1.0}"#), "message", &[&data], &data);
        let data = format!("{head}\"not \\\"JSON\\\"\"}}");
        check(&event(true, EventName::Message, b"not \"JSON\""), "message", &[&data], &data);
    }

    #[test]
    fn lines_of_a_text_stay_lines_of_the_data() {
        let text = event(false, EventName::Message, b"a\r\nb\rc\n\ndata: d");
        let sse = ["a", "b", "c", "", "data: d"];
        check(&text, "message", &sse, r#""a\r\nb\rc\n\ndata: d""#);
        let json = event(false, EventName::Message, b"{\n\"a\": 1}");
        check(&json, "message", &["{", "\"a\": 1}"], "{\n\"a\": 1}");
    }

    #[test]
    fn an_event_id_has_a_mark_or_none() {
        let message = fixtures::message().id;
        for mark in [None, Some(Mark(0)), Some(Mark(0xab)), Some(Mark(u32::MAX))] {
            let id = EventId { message, mark };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(format!("{message}.x").parse(), Ok(EventId { message, mark: None }));
        assert!(".0".parse::<EventId>().is_err());
    }

    #[test]
    fn what_the_server_says_has_no_id() {
        let data = serde_json::json!({ "reason": StreamEnd::TooSlow.reason() });
        assert_eq!(control("end", &data, false), "event: end\ndata: {\"reason\":\"too_slow\"}\n\n");
        let socket = control("end", &data, true);
        assert_eq!(socket, r#"{"data":{"reason":"too_slow"},"event":"end"}"#);
    }
}
