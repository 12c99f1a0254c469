//! What is imported, in one form for all systems.
//!
//! A source converts the records of another system into these types, and the target makes records
//! of them. Everything that a source cannot read is a [`Finding`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use postrider::{ApplicationId, ConnectorId, EndpointId, api::Metadata};
use serde::Serialize;
use serde_json::{Map, Value};

/// The fields of a record, by their names in our API.
pub(crate) type Fields = Map<String, Value>;

/// What belongs to no application.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub event_types: Vec<EventType>,
    pub connectors: Vec<Connector>,
    /// The endpoints of operational webhooks.
    pub operational_endpoints: Vec<Endpoint>,
    /// Settings by their names in our API.
    pub settings: Fields,
    pub hidden: Vec<Finding>,
}

/// The identifier in the target of a record that has none in the source: its id there. The id of
/// another Postrider gets a prefix, because a uid must not look like an id.
pub(crate) fn uid_of(source_id: &str) -> String {
    let is_ours = source_id.parse::<ApplicationId>().is_ok()
        || source_id.parse::<EndpointId>().is_ok()
        || source_id.parse::<ConnectorId>().is_ok();
    if is_ours { format!("imported-{source_id}") } else { source_id.to_owned() }
}

/// A customer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Application {
    /// The id in the source.
    pub source_id: String,
    /// The identifier in the target: the source's own identifier, or the id in the source.
    pub uid: String,
    pub name: String,
    /// Attempts per second.
    pub rate_limit: Option<u64>,
    pub metadata: Metadata,
}

/// What belongs to one application.
#[derive(Debug, Default)]
pub(crate) struct ApplicationContent {
    pub endpoints: Vec<Endpoint>,
    pub integrations: Vec<Integration>,
    pub hidden: Vec<Finding>,
}

/// A receiving URL.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// The id in the source.
    pub source_id: String,
    /// The identifier in the target: the source's own identifier, or the id in the source.
    pub uid: String,
    pub url: String,
    pub description: String,
    /// All if absent.
    pub event_types: Option<Vec<String>>,
    /// All if absent.
    pub channels: Option<Vec<String>>,
    /// Attempts per second.
    pub rate_limit: Option<u64>,
    pub disabled: bool,
    pub metadata: Metadata,
    /// The headers whose values the source shows.
    pub headers: BTreeMap<String, String>,
    /// Names of headers whose values the source hides. They are left as they are in the target.
    pub hidden_headers: BTreeSet<String>,
    /// The present secret, then older ones that are still valid, newest first. If empty, the
    /// target generates one.
    pub secrets: Vec<Secret>,
    pub transformation: Option<Transformation>,
    /// More fields of our API, such as how the source signs.
    pub more: Fields,
}

/// A signing secret: `whsec_…` or `whsk_…`.
pub(crate) struct Secret {
    pub key: String,
    /// When an older secret ends to be valid.
    pub expires_at: Option<Timestamp>,
}

/// Hides the key.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Code that changes what an endpoint gets.
#[derive(Debug, Default)]
pub(crate) struct Transformation {
    /// The fields `code`, `enabled` and `variables`.
    pub fields: Fields,
    /// Names of variables whose values the source hides. They are left as they are in the target.
    pub hidden_variables: BTreeSet<String>,
}

/// A kind of event.
#[derive(Debug, Default)]
pub(crate) struct EventType {
    pub name: String,
    pub description: String,
    pub archived: bool,
    pub deprecated: bool,
    /// JSON schemas by version.
    pub schemas: Option<Value>,
    pub group_name: Option<String>,
    pub feature_flags: Vec<String>,
}

/// A transformation that customers can choose.
#[derive(Debug, Default)]
pub(crate) struct Connector {
    pub uid: String,
    /// The other fields of our API.
    pub fields: Fields,
}

/// An integration of an application.
#[derive(Debug, Default)]
pub(crate) struct Integration {
    pub name: String,
    pub feature_flags: Vec<String>,
}

/// The kind of a record, as reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    EventType,
    Connector,
    Application,
    Endpoint,
    Integration,
    OperationalEndpoint,
    Setting,
    Message,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::EventType,
        Self::Connector,
        Self::Application,
        Self::Endpoint,
        Self::Integration,
        Self::OperationalEndpoint,
        Self::Setting,
        Self::Message,
    ];

    /// The plural for people.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::EventType => "event types",
            Self::Connector => "connectors",
            Self::Application => "applications",
            Self::Endpoint => "endpoints",
            Self::Integration => "integrations",
            Self::OperationalEndpoint => "operational endpoints",
            Self::Setting => "settings",
            Self::Message => "messages",
        }
    }
}

/// Something that the source hides or the target does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    pub kind: Kind,
    /// The record, such as `acme/ep_123`.
    pub record: String,
    /// What is missing, and what to do about it.
    pub detail: String,
}

impl Finding {
    /// A finding about this record.
    pub(crate) fn new(kind: Kind, record: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, record: record.into(), detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::uid_of;

    #[test]
    fn ids_of_other_systems_are_kept_and_ours_are_not_ambiguous() {
        for (id, expected) in [
            ("app_2srOrx2ZWZBpBUvZwXKQmoEYga2", "app_2srOrx2ZWZBpBUvZwXKQmoEYga2"),
            ("app_01m8g3dqhbe009ytgarfwcqt6x", "imported-app_01m8g3dqhbe009ytgarfwcqt6x"),
            ("ep_01m8g3dqhbe009ytgarfwcqt6x", "imported-ep_01m8g3dqhbe009ytgarfwcqt6x"),
            ("17", "17"),
        ] {
            assert_eq!(uid_of(id), expected);
        }
    }
}
