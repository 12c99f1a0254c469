//! Custom headers of an endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::field::or_default;

/// Replaces all headers of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersIn {
    /// Names and values.
    pub headers: BTreeMap<String, String>,
}

/// Changes some headers of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersPatchIn {
    /// Values to set; `null` removes the header.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Option<String>>>"))]
    pub headers: BTreeMap<String, Option<String>>,
    /// Names of headers to remove. 1.x and 2.x clients send this instead of `null`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub delete_headers: Vec<String>,
}

/// The headers of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointHeadersOut {
    /// Names and values of the headers that are not sensitive.
    pub headers: BTreeMap<String, String>,
    /// Names of the headers whose values are hidden, such as `authorization`.
    pub sensitive: BTreeSet<String>,
}
