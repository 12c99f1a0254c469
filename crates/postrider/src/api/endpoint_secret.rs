//! Signing secrets of endpoints.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum grace period of a rotated secret in seconds.
pub const MAX_GRACE_SECONDS: u32 = 7 * 24 * 60 * 60;

/// Default grace period of a rotated secret in seconds.
pub const DEFAULT_GRACE_SECONDS: u32 = 24 * 60 * 60;

/// The signing secret of an endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointSecretOut {
    /// The key with which receivers verify signatures: `whsec_…`, or `whpk_…` for an endpoint that
    /// signs with a private key. If a signing profile signs instead of Standard Webhooks, its newest
    /// secret.
    pub key: String,
}

impl fmt::Debug for EndpointSecretOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecretOut").finish_non_exhaustive()
    }
}

/// Replaces the signing secret of an endpoint. The response is 200 with [`EndpointSecretOut`]: 2.x
/// clients read it, and 1.x clients expect 204 but accept any success.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EndpointSecretRotateIn {
    /// The new secret, `whsec_…` or `whsk_…`, or what the endpoint's signing profile expects;
    /// generated if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long requests are signed with the old secret as well, in seconds; one day if absent, at
    /// most seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_GRACE_SECONDS)))]
    pub grace_period_seconds: Option<u32>,
}

impl fmt::Debug for EndpointSecretRotateIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSecretRotateIn")
            .field("grace_period_seconds", &self.grace_period_seconds)
            .finish_non_exhaustive()
    }
}
