//! Requests that a source rejected, or dropped as duplicates.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RejectionId, SourceId};

/// A request to a source that was rejected, or dropped as a duplicate. Unlike all other fields of
/// the API, these are written with underscores, because clients expect it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestLogOut {
    /// The identifier that the server assigned.
    pub id: RejectionId,
    /// The source that received the request.
    pub source_id: SourceId,
    /// The status code of the response.
    pub status_code: u16,
    /// Why the request was rejected. The sender did not learn it.
    pub error_text: String,
    /// The request's method.
    pub method: String,
    /// Path and query, without the source's token and secrets.
    pub target: String,
    /// The request's headers, with secrets replaced by `[hidden]`. Headers of the same name are
    /// joined.
    pub headers: BTreeMap<String, String>,
    /// The first 64 KiB of the body, with secrets replaced by `[hidden]`.
    pub payload: String,
    /// How the body is encoded.
    pub payload_encoding: PayloadEncoding,
    /// The message of which it is a duplicate, if it was dropped as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<MessageId>,
    /// When the request was received.
    pub created_at: Timestamp,
    /// The same as `created_at`.
    pub updated_at: Timestamp,
}

/// Whether a rejected request verifies with the present secrets of its source. A Postrider
/// extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestLogVerifyOut {
    /// Whether it verifies, at the time when it was received.
    pub verified: bool,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request was not stored completely, because it was too large or contained secrets. So it
    /// may fail although the original would verify.
    pub is_incomplete: bool,
}

/// The message that a rejected request became. A Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestLogAcceptOut {
    /// The message.
    pub message_id: MessageId,
    /// The event had been accepted before as this message, and nothing was published.
    pub is_duplicate: bool,
}

/// How bytes are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PayloadEncoding {
    /// As text.
    Text,
    /// In Base64, because they are not valid UTF-8.
    Base64,
}
