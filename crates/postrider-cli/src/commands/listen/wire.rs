//! What is said over the WebSocket: JSON objects with a type, a version and data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the server says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub(super) enum Incoming {
    Start(Started),
    Event(Event),
}

/// We may listen.
#[derive(Debug, Deserialize)]
pub(super) struct Started {
    #[serde(default)]
    pub token: String,
    /// Where providers post to.
    pub url: Option<String>,
    /// Most bytes of an answer's body.
    pub answer_bytes: Option<usize>,
    /// Where a source is followed from.
    pub after: Option<String>,
}

/// A request that we are to answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in super::super) struct Event {
    pub id: String,
    pub method: String,
    /// In base 64.
    #[serde(default)]
    pub body: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What follows the URL that we were given.
    #[serde(default)]
    pub target: String,
    #[serde(default)]
    pub event_type: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u16,
    data: &'a T,
}

/// Who we are.
#[derive(Debug, Serialize)]
pub(super) struct Start<'a> {
    pub token: &'a str,
    pub key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    /// The message that was answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<&'a str>,
}

/// How a request was answered.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    pub id: String,
    pub status: u16,
    /// In base 64.
    pub body: String,
    pub headers: BTreeMap<String, String>,
}

impl Start<'_> {
    pub(super) fn to_json(&self) -> String {
        encode("start", self)
    }
}

impl Answer {
    pub(super) fn to_json(&self) -> String {
        encode("event", self)
    }
}

fn encode<T: Serialize>(kind: &'static str, data: &T) -> String {
    serde_json::to_string(&Envelope { kind, version: 1, data })
        .expect("texts and maps of them serialize")
}
