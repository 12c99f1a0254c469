//! Alerts to the operator: which conditions hold, and when somebody is told.
//!
//! Detectors report what they find as an [`Observation`]. The [`Book`] keeps the alerts and decides
//! what is sent: an alert when its condition begins, a reminder while it holds, a notice when it has
//! ended. A condition that comes and goes is announced at most once in each pause, and alerts that
//! come close together are sent as one message.

mod book;
mod conditions;
mod outbox;
mod rejections;
pub mod target;
mod text;

use std::{fmt, str::FromStr, time::Duration};

use postrider::{ApplicationId, EndpointId};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use self::{
    book::{Alert, Book},
    conditions::{Conditions, disabled},
    outbox::{Channel, Outbox, Outgoing, Parcel},
    rejections::RejectionWindow,
    text::{AlertText, payload},
};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The server has disabled an endpoint.
    EndpointDisabled,
    /// A source has rejected many requests.
    SourceRejecting,
    DiskNearlyFull,
    CertificateExpiring,
    /// Due deliveries have waited for too long.
    DeliveriesLate,
    StoreUnavailable,
    /// The operator tries whether alerts arrive.
    Test,
}

/// The text names no kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be one of endpoint_disabled, source_rejecting, disk_nearly_full, certificate_expiring, \
     deliveries_late, store_unavailable"
)]
pub struct UnknownKind;

impl AlertKind {
    /// Those that operators choose from.
    pub const ALL: [Self; 6] = [
        Self::EndpointDisabled,
        Self::SourceRejecting,
        Self::DiskNearlyFull,
        Self::CertificateExpiring,
        Self::DeliveriesLate,
        Self::StoreUnavailable,
    ];

    /// Its name in the configuration and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointDisabled => "endpoint_disabled",
            Self::SourceRejecting => "source_rejecting",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::CertificateExpiring => "certificate_expiring",
            Self::DeliveriesLate => "deliveries_late",
            Self::StoreUnavailable => "store_unavailable",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlertKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or(UnknownKind)
    }
}

/// Tells alerts apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    pub kind: AlertKind,
    /// What is concerned: an id, or the name of a node.
    pub subject: String,
}

/// A condition that holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub key: AlertKey,
    /// What happened and what to do, in one or two sentences.
    pub summary: String,
    /// The endpoint that is concerned, if it is one.
    pub endpoint: Option<(ApplicationId, EndpointId)>,
    /// The condition counts as ended then, unless it is observed again. `None` if it holds until it
    /// is [cleared](Observation::Cleared).
    pub ends_at: Option<Timestamp>,
}

/// What a detector reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A condition holds.
    Holds(Finding),
    /// A condition is not observed here any more. It ends soon unless another node observes it.
    Fades(AlertKey),
    /// A condition has ended.
    Cleared(AlertKey),
}

/// How often somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After an alert was announced, it is not announced again for this time, even if its condition
    /// has ended and begins again.
    pub pause: Duration,
    /// An alert whose condition still holds is sent again after this time. Zero sends no reminders.
    pub repeat: Duration,
    /// Time between two messages. What happens meanwhile is sent together.
    pub interval: Duration,
}

/// What is told about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Firing,
    /// It still holds.
    Reminder,
    Resolved,
}

/// What a message says about one alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub notice: NoticeKind,
    pub key: AlertKey,
    pub summary: String,
    pub began_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<(ApplicationId, EndpointId)>,
}
