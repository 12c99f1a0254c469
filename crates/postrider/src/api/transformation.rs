//! Transformations: code that changes what an endpoint gets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    api::field::{Field, Patch},
    name::EventTypeName,
};

/// The transformation of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointTransformationOut {
    /// JavaScript that defines a function `handler`.
    pub code: Option<String>,
    /// Whether deliveries are transformed.
    pub enabled: bool,
    /// Values that the code finds in `webhook.env`. They are not shown again: each value is `***`.
    pub variables: Option<BTreeMap<String, String>>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Changes the transformation of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointTransformationPatch {
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes; `null` removes it.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub code: Patch<String>,
    /// Whether deliveries are transformed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Values that the code finds in `webhook.env`; `null` removes all. A value of `***` keeps the
    /// variable as it is.
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, String>>"))]
    pub variables: Patch<BTreeMap<String, String>>,
    /// Id or uid of a connector whose code is copied; not beside `code`. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
}

/// The transformation of a destination, which gets lists of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DestinationTransformationOut {
    /// JavaScript that defines a function `handler`.
    pub code: Option<String>,
    /// Whether deliveries are transformed.
    pub enabled: bool,
}

/// Replaces the transformation of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DestinationTransformationIn {
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes; without it, payloads
    /// are delivered unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A response without content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EmptyResponse {}

/// Runs code on a payload and sends nothing.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TransformationSimulateIn {
    /// JavaScript that defines a function `handler`, of 10 to 51,200 bytes.
    pub code: String,
    /// The event type of the message.
    pub event_type: EventTypeName,
    /// The channels of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// The payload of the message.
    pub payload: Map<String, Value>,
    /// Values that the code finds in `webhook.env`. Those of the endpoint can be used with the value
    /// `***`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, String>>,
}

/// What the code made of the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TransformationSimulateOut {
    /// The URL that would be called.
    pub url: String,
    /// The body that would be sent.
    pub payload: String,
    /// The method of the request.
    pub method: Option<String>,
    /// Whether the code cancelled the delivery.
    pub cancel: bool,
    /// The headers that the code set. A Postrider extension.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What the code wrote to the console. A Postrider extension.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub console: String,
}

/// What the transformation of an endpoint made of a delivery. A Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AttemptTransformationOut {
    /// Whether the code cancelled the delivery, so that nothing was sent.
    pub cancelled: bool,
    /// The request that was sent; absent if the code cancelled it or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<TransformedRequestOut>,
    /// What the code wrote to the console.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub console: String,
}

/// A request as a transformation made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TransformedRequestOut {
    /// The method of the request.
    pub method: String,
    /// The URL that was called.
    pub url: String,
    /// The headers that the code set. Values that may be credentials are `***`.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of the body.
    pub body: String,
    /// Whether the body was longer.
    pub is_truncated: bool,
}

/// Do not show variables.
macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
pub(in crate::api) use opaque;

opaque!(EndpointTransformationOut, EndpointTransformationPatch, TransformationSimulateIn);
