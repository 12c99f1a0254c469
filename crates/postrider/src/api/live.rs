//! Tokens for the readers of `live` endpoints, and entries of an organization's feed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    id::{ApplicationId, EndpointId},
    name::EventTypeName,
};

/// Minimum and maximum validity of a reader's token in seconds.
pub const LIVE_EXPIRY_SECONDS: std::ops::RangeInclusive<u64> = 1..=7 * 24 * 60 * 60;

/// Default validity of a reader's token in seconds.
pub const DEFAULT_LIVE_EXPIRY_SECONDS: u64 = 60 * 60;

/// Most event types, and most channels, that a reader's token can name.
pub const MAX_LIVE_NAMES: usize = 50;

/// Creates a token for a reader of a `live` endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiveTokenIn {
    /// Validity of the token in seconds, at most seven days; one hour if absent. It ends with the
    /// token that creates it at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 604_800)))]
    pub expires_in: Option<u64>,
    /// The reader gets only messages with at least one of these channels; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_LIVE_NAMES)))]
    pub channels: Option<Vec<String>>,
    /// The reader gets only messages of these types; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_LIVE_NAMES)))]
    pub event_types: Option<Vec<String>>,
}

/// A token for a reader of a `live` endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiveTokenOut {
    /// The token, for the header `Authorization: Bearer …` or the parameter `token`.
    pub token: String,
    /// The URL of the stream with the token, for `EventSource` and `WebSocket`.
    pub url: String,
    /// When the token expires, which ends the streams that use it.
    pub expires_at: Timestamp,
}

impl fmt::Debug for LiveTokenOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTokenOut").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A change of an endpoint or a delivery, in the feed of an organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LiveStateOut {
    /// The event type of the operational webhook about the change, such as `endpoint.disabled`.
    pub event_type: EventTypeName,
    /// The application of the endpoint.
    pub app_id: ApplicationId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The `data` of the operational webhook.
    #[cfg_attr(feature = "schema", schemars(with = "crate::api::message::Payload"))]
    pub data: Box<RawValue>,
    /// When the change was made.
    pub timestamp: Timestamp,
}
