//! What an application uses of what it may.

use serde::{Deserialize, Serialize};

/// How much is used, and how much may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// What is used now.
    pub used: u64,
    /// The configured limit; there is none if it is null.
    pub limit: Option<u64>,
}

/// What an application uses of what it may. Rates are those of the node that responds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UsageOut {
    /// Endpoints of the application.
    pub endpoints: Usage,
    /// Event types in the filter of one endpoint; the most that an endpoint has.
    pub event_types_per_endpoint: Usage,
    /// Channels in the filter of one endpoint; the most that an endpoint has.
    pub channels_per_endpoint: Usage,
    /// Headers of one endpoint; the most that an endpoint has.
    pub headers_per_endpoint: Usage,
    /// Deliveries that have not ended, counted up to the limit or 100,000, whichever is higher.
    pub pending_deliveries: Usage,
    /// Messages published within the last second.
    pub messages_per_second: Usage,
    /// Requests made with the application's own tokens within the last second.
    pub requests_per_second: Usage,
}
