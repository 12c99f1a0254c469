//! Transformations, which are always empty.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The transformation of an endpoint, which is always empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestEndpointTransformationOut {
    /// Always `null`.
    pub code: Option<String>,
    /// Always `false`.
    pub enabled: bool,
    /// Always `null`.
    pub variables: Option<BTreeMap<String, String>>,
}

/// Changes the transformation of an endpoint. Anything but an empty one is rejected.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestEndpointTransformationPatch {
    /// Must be absent or `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Must be absent or `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Must be absent, `null` or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, String>>,
}

impl fmt::Debug for IngestEndpointTransformationPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestEndpointTransformationPatch").finish_non_exhaustive()
    }
}
