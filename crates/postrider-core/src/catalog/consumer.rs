//! Consumers, the queues that messages are read from, and what could not be accepted from them.

use std::collections::BTreeMap;

use postrider::{ConsumerId, DeadLetterId, OrganizationId, Uid, api::DeadLetterCause};
use serde::{Deserialize, Serialize};

use super::AtRest;
use crate::{
    kind::Fields,
    queue::{QueueKind, mapping::MappingTexts},
    time::Timestamp,
};

/// A queue that messages are read from. They become messages of an organization's applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    pub id: ConsumerId,
    pub organization: OrganizationId,
    pub uid: Option<Uid>,
    /// The set of declared records that it belongs to, if it was applied from files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Uid>,
    pub description: String,
    pub kind: QueueKind,
    /// Configuration of the queue, as the client specified it. It may contain credentials.
    pub config: AtRest<Fields>,
    /// Where the queue is: a URL for people, without credentials.
    pub address: String,
    /// How a queue's message becomes a message; `None` if its body is `{appId, message}`.
    pub mapping: Option<MappingTexts>,
    pub disabled: bool,
    /// How often a message is tried before it becomes a dead letter.
    pub max_attempts: u32,
    /// Most messages that one node has received and not acknowledged.
    pub max_in_flight: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A message of a queue that could not be accepted, and was acknowledged nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub consumer: ConsumerId,
    /// Identifies the message in its queue.
    pub message: String,
    pub cause: DeadLetterCause,
    /// Why it was not accepted, in words.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    pub subject: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub body: DeadBody,
    /// The body had more bytes than are kept.
    pub is_truncated: bool,
}

/// The body of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeadBody {
    Text(String),
    Binary(Vec<u8>),
}

/// Most bytes that are kept of a dead letter's body.
pub const MAX_DEAD_BODY: usize = 256 << 10;

/// Most bytes that are kept of a dead letter's headers.
pub const MAX_DEAD_HEADERS: usize = 16 << 10;

impl DeadLetter {
    /// When it was put on the list, taken from its id.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }
}

impl DeadBody {
    /// As much of the body as is kept.
    pub fn of(body: &[u8]) -> Self {
        let kept = body.get(..MAX_DEAD_BODY).unwrap_or(body);
        match str::from_utf8(kept) {
            Ok(text) => Self::Text(text.to_owned()),
            // The cut may be within a character.
            Err(error) if kept.len() < body.len() && error.error_len().is_none() => {
                let whole = kept.get(..error.valid_up_to()).unwrap_or_default();
                Self::Text(String::from_utf8_lossy(whole).into_owned())
            },
            Err(_) => Self::Binary(kept.to_vec()),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let body = "ä".repeat(MAX_DEAD_BODY);
        assert_eq!(DeadBody::of(body.as_bytes()).as_bytes().len(), MAX_DEAD_BODY);
        let shifted = format!("x{body}");
        assert_eq!(DeadBody::of(shifted.as_bytes()).as_bytes().len(), MAX_DEAD_BODY - 1);
        assert_eq!(DeadBody::of(b"\xff\x00"), DeadBody::Binary(vec![0xff, 0]));
        assert_eq!(DeadBody::of(b"{}"), DeadBody::Text("{}".to_owned()));
    }
}
