//! Usage and quotas of applications.

use serde::{Deserialize, Serialize};

/// A used amount with its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// The amount that is used now.
    pub used: u64,
    /// The configured limit; `null` means that there is none.
    pub limit: Option<u64>,
}

/// An application's usage and quotas. Rates are those of the node that responds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UsageOut {
    /// The number of endpoints.
    pub endpoints: Usage,
    /// The largest number of event types of an endpoint.
    pub event_types_per_endpoint: Usage,
    /// The largest number of channels of an endpoint.
    pub channels_per_endpoint: Usage,
    /// The largest number of headers of an endpoint.
    pub headers_per_endpoint: Usage,
    /// Pending deliveries, counted up to the limit or 100,000, whichever is higher.
    pub pending_deliveries: Usage,
    /// Messages published within the last second.
    pub messages_per_second: Usage,
    /// Requests made with the application's own tokens within the last second.
    pub requests_per_second: Usage,
}
