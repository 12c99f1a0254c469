//! The settings of an organization.

use postrider::api::{SchemaValidation, portal_theme::PortalTheme};
use serde::{Deserialize, Serialize};

/// The settings of an organization.
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrganizationSettings {
    /// URLs of endpoints begin with `https`.
    pub enforce_https: bool,
    /// Endpoints have channels.
    pub require_endpoint_channel: bool,
    /// Endpoints have event types.
    pub require_endpoint_filter_types: bool,
    /// Tokens of applications can only read.
    pub read_only: bool,
    /// Endpoints that keep failing are disabled.
    pub disable_endpoint_on_failure: bool,
    /// Most endpoints of an application.
    pub endpoints_per_app_limit: Option<u32>,
    /// What happens to payloads that do not match the schema of their event type.
    #[serde(skip_serializing_if = "SchemaValidation::is_off")]
    pub schema_validation: SchemaValidation,
    /// How the portal looks. It is in a box because most applications have no settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<Box<PortalTheme>>,
}

impl Default for OrganizationSettings {
    fn default() -> Self {
        Self {
            enforce_https: false,
            require_endpoint_channel: false,
            require_endpoint_filter_types: false,
            read_only: false,
            disable_endpoint_on_failure: true,
            endpoints_per_app_limit: None,
            schema_validation: SchemaValidation::Off,
            theme: None,
        }
    }
}
