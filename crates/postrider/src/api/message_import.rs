//! Messages of another system that are added to the history.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::time;

#[cfg(feature = "schema")]
use crate::{
    api::message::{MAX_CHANNELS, Payload},
    name::{EventTypeName, Uid},
};

/// Adds messages that another system has accepted to the history of an application, without
/// delivering them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageImportIn {
    /// The messages, 1 to 1000.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = crate::api::message::MAX_BATCH)))]
    pub messages: Vec<ImportedMessageIn>,
}

/// A message that another system has accepted.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ImportedMessageIn {
    /// The message's identifier in the other system. The identifier of another Postrider server is
    /// kept. Any other becomes the `eventId` of a message that has none, so that the message can be
    /// found by it.
    pub id: String,
    /// The name of the event type.
    #[cfg_attr(feature = "schema", schemars(with = "EventTypeName"))]
    pub event_type: String,
    /// The payload. Endpoints receive exactly these bytes when the message is resent.
    #[cfg_attr(feature = "schema", schemars(with = "Payload"))]
    pub payload: Box<RawValue>,
    /// When the other system accepted the message.
    #[serde(deserialize_with = "time::deserialize")]
    pub timestamp: Timestamp,
    /// The publisher's identifier of the event, unique in the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Uid>"))]
    pub event_id: Option<String>,
    /// The message's channels, at most 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_CHANNELS)))]
    pub channels: Option<Vec<String>>,
    /// Words by which the message can be found, at most 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

impl fmt::Debug for ImportedMessageIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedMessageIn").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The result of an import. A repeated import changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageImportOut {
    /// The number of messages that were added.
    pub created: u64,
    /// The number of messages that the application had already.
    pub existing: u64,
    /// The messages that cannot be added.
    pub refused: Vec<RefusedMessageOut>,
}

/// A message that cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RefusedMessageOut {
    /// Its `id` in the request.
    pub id: String,
    /// The error code: `expired` if its payload would be deleted at once because of its age,
    /// `invalid` otherwise.
    pub code: String,
    /// What is wrong with it.
    pub detail: String,
}
