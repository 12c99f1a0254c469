//! Batches of an endpoint.

use serde::{Deserialize, Serialize};

/// How many messages an endpoint receives in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointBatch {
    /// Most messages of a request.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = MAX_BATCH)))]
    pub size: u16,
    /// How many seconds the first message waits for others; 0 by default.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_BATCH_WAIT_SECONDS)))]
    pub max_wait_seconds: u16,
}

/// Largest `batch.size`.
pub const MAX_BATCH: u16 = 1_000;

/// Largest `batch.maxWaitSeconds`.
pub const MAX_BATCH_WAIT_SECONDS: u16 = 300;

/// Largest `skipAfter`.
pub const MAX_SKIP_AFTER: u16 = 10_000;
