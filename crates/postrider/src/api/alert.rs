//! Alerts to the operator that are firing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ApplicationId, EndpointId};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The server has disabled an endpoint.
    EndpointDisabled,
    /// A source has rejected many requests.
    SourceRejecting,
    /// The disk of a node is nearly full.
    DiskNearlyFull,
    /// A client certificate of an endpoint, or the certificate of the server, expires soon.
    CertificateExpiring,
    /// Due deliveries have waited for too long.
    DeliveriesLate,
    /// The store fails.
    StoreUnavailable,
}

impl AlertKind {
    /// Its name in the configuration, in messages and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointDisabled => "endpoint_disabled",
            Self::SourceRejecting => "source_rejecting",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::CertificateExpiring => "certificate_expiring",
            Self::DeliveriesLate => "deliveries_late",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

/// An alert whose cause lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlertOut {
    /// What it is about.
    pub kind: AlertKind,
    /// What is concerned: the id of an endpoint or a source, or the name of a node.
    pub subject: String,
    /// What happened and what to do, in one or two sentences.
    pub summary: String,
    /// When the cause began.
    pub began_at: Timestamp,
    /// The application of the endpoint that is concerned, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<ApplicationId>,
    /// The endpoint that is concerned, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<EndpointId>,
}

/// The alerts that are firing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlertsOut {
    /// Whether the server has a receiver of alerts. Without one, alerts are only listed.
    pub configured: bool,
    /// The alerts, the oldest first.
    pub data: Vec<AlertOut>,
}
