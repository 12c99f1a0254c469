//! Transformations of endpoints of sources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{
    field::{Field, Patch},
    transformation::{EndpointTransformationOut, EndpointTransformationPatch, opaque},
};

/// The transformation of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestEndpointTransformationOut {
    /// JavaScript that defines a function `handler`.
    pub code: Option<String>,
    /// Whether deliveries are transformed.
    pub enabled: bool,
    /// Values that the code finds in `webhook.env`. They are not shown again: each value is `***`.
    pub variables: Option<BTreeMap<String, String>>,
}

/// Changes the transformation of an endpoint.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IngestEndpointTransformationPatch {
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
}

impl From<EndpointTransformationOut> for IngestEndpointTransformationOut {
    fn from(it: EndpointTransformationOut) -> Self {
        let EndpointTransformationOut { code, enabled, variables, updated_at: _ } = it;
        Self { code, enabled, variables }
    }
}

impl From<IngestEndpointTransformationPatch> for EndpointTransformationPatch {
    fn from(it: IngestEndpointTransformationPatch) -> Self {
        let IngestEndpointTransformationPatch { code, enabled, variables } = it;
        Self { code, enabled, variables, connector: None }
    }
}

opaque!(IngestEndpointTransformationOut, IngestEndpointTransformationPatch);
