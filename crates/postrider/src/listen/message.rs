//! The messages of both sides.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::VERSION;

/// A message from the client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum ClientMessage {
    /// The first message of a connection.
    Start(Start),
    /// The response to one request.
    Event(RelayedResponse),
}

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The client has been admitted.
    Start(Started),
    /// A request that the client has to respond to.
    Event(RelayedRequest),
}

/// Begins to listen: at a URL for the client's token, or to a source.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Identifies the client; the URL at which senders reach it ends with this.
    #[serde(default)]
    pub token: String,
    /// The key that the token was made from, see [`token_from_key`](super::token_from_key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Id, uid or name of the source to follow. The client receives the source's messages
    /// instead of requests to a URL for its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Id of the last message of the source that the client responded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Tells the client that it has been admitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The client's token; empty if it follows a source.
    #[serde(default)]
    pub token: String,
    /// URL for senders.
    #[serde(default)]
    pub url: Option<String>,
    /// Most bytes of a response's body.
    #[serde(default, rename = "answer_bytes", skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<usize>,
    /// Messages of the source with a greater id follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A webhook on its way to the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedRequest {
    /// Identifies the request in the response; for a source, the id of the message.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Body, in base 64.
    #[serde(default)]
    pub body: String,
    /// Headers, with names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The rest of the path after the client's URL, and the query.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// Event type, if the server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
}

/// The response of the program that the client forwarded a request to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayedResponse {
    /// Identifies the request.
    pub id: String,
    /// HTTP status.
    pub status: u16,
    /// Body, in base 64.
    #[serde(default)]
    pub body: String,
    /// Headers, with names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// A message as it is sent. The derived serialization of the enums has no place for a version.
#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u16,
    data: &'a T,
}

impl ClientMessage {
    /// The message as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Start(start) => encode("start", start),
            Self::Event(response) => encode("event", response),
        }
    }
}

impl ServerMessage {
    /// The message as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Start(started) => encode("start", started),
            Self::Event(request) => encode("event", request),
        }
    }
}

fn encode<T: Serialize>(kind: &'static str, data: &T) -> String {
    let envelope = Envelope { kind, version: VERSION, data };
    serde_json::to_string(&envelope).expect("strings and maps of strings serialize")
}

impl Start {
    /// Whether the client knows [`CloseCode`](super::CloseCode). The Svix CLI sends neither a key
    /// nor a source, and it stops only for the codes of the WebSocket standard.
    #[must_use]
    pub const fn knows_close_codes(&self) -> bool {
        self.key.is_some() || self.source.is_some()
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is a secret, and the token is enough to send requests to the client.
        let Self { token: _, key: _, source, after } = self;
        formatter
            .debug_struct("Start")
            .field("source", source)
            .field("after", after)
            .finish_non_exhaustive()
    }
}
