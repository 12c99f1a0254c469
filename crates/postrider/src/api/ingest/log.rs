//! Requests that became no message.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RejectionId, SourceId};

/// A request to a source that was turned away, or dropped because it repeats a message. Its fields are the only ones of the API that
/// are written with underscores; clients know them so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestLogOut {
    /// Our identifier.
    pub id: RejectionId,
    /// The source that it was sent to.
    pub source_id: SourceId,
    /// What was answered.
    pub status_code: u16,
    /// Why it became no message. The sender was not told.
    pub error_text: String,
    /// The request's method.
    pub method: String,
    /// Path and query, without the source's token and secrets.
    pub target: String,
    /// The request's headers, with secrets shown as `[hidden]`; several of one name are joined.
    pub headers: BTreeMap<String, String>,
    /// The first 64 KiB of the body, with secrets shown as `[hidden]`.
    pub payload: String,
    /// How the body is written down.
    pub payload_encoding: PayloadEncoding,
    /// The message that it repeats, if it was dropped as a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<MessageId>,
    /// When the request came.
    pub created_at: Timestamp,
    /// The same.
    pub updated_at: Timestamp,
}

/// How bytes are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum PayloadEncoding {
    /// As they are.
    Text,
    /// In base 64, because they are not UTF-8.
    Base64,
}
