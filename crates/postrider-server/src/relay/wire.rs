//! What is said over the WebSocket: JSON objects with a type, a version and data.
//!
//! The fields that the field's stock tool does not send or know are optional, both ways.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const VERSION: u16 = 1;

/// What listening programs say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub(super) enum Incoming {
    Start(Start),
    Event(Answer),
}

/// The first thing that a program says.
#[derive(Debug, Deserialize)]
pub(super) struct Start {
    /// Names the program; its URL ends with it.
    #[serde(default)]
    pub(super) token: String,
    /// Proves that the token is the program's own, if it was made from this.
    pub(super) key: Option<String>,
    /// The source that is followed, by id, uid or name.
    pub(super) source: Option<String>,
    /// The message that the program answered last.
    pub(super) after: Option<String>,
}

/// How a request was answered at the desk.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) status: u16,
    /// In base 64.
    #[serde(default)]
    pub(super) body: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u16,
    data: &'a T,
}

/// Says that a program may listen, and where it is reached.
#[derive(Debug, Serialize)]
pub(super) struct Started {
    pub(super) token: String,
    pub(super) url: Option<String>,
    /// Most bytes of an answer's body.
    pub(super) answer_bytes: usize,
    /// Where the source is followed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
}

/// A request that a program is to answer.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) method: String,
    /// In base 64.
    pub(super) body: String,
    pub(super) headers: BTreeMap<String, String>,
    /// What follows the program's URL: the rest of the path, and the query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event_type: Option<String>,
}

impl Started {
    pub(super) fn to_json(&self) -> String {
        encode("start", self)
    }
}

impl Event {
    pub(super) fn to_json(&self) -> String {
        encode("event", self)
    }
}

fn encode<T: Serialize>(kind: &'static str, data: &T) -> String {
    let envelope = Envelope { kind, version: VERSION, data };
    serde_json::to_string(&envelope).expect("texts and maps of them serialize")
}
