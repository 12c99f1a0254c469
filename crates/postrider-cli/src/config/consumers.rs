//! `[[consumers]]`: queues to read that the configuration file defines.

use std::collections::BTreeSet;

use postrider::{
    OrganizationId, Uid,
    api::{ConsumerConfig, ConsumerIn, ConsumerMapping, QueueKind},
};
use postrider_core::{kind::mask_fields, queue::QueueConfig};
use postrider_server::DeclaredConsumer;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    endpoints::DEFAULT_ORGANIZATION,
    entry::{Entry, entry},
    error::{ConfigError, Source},
};

entry! {
    /// One entry of `[[consumers]]`.
    ConsumerEntry {
        /// Identifies the consumer within its organization.
        uid: Uid = "a uid, required";
        /// The organization whose applications get the messages.
        organization: Option<OrganizationId> = "an organization's id, `org_main` by default";
        /// The kind of queue.
        kind: QueueKind = "`nats`, `rabbitmq`, `redis`, `kafka` or `sqs`, required";
        /// Where the queue is and how to read it; see `docs/consumers.md`.
        config: Map<String, Value> = "a table, required";
        /// How a queue's message becomes a message: `application`, `event_type`, `event_id`, `channels` and `payload`. If it is absent, the body is `{"appId", "message"}`.
        mapping: Option<MappingEntry> = "a table";
        /// A description for people.
        description: Option<String> = "a text, empty by default";
        /// How often a message is tried before it becomes a dead letter.
        max_attempts: Option<u32> = "a number up to 10, `5` by default";
        /// Maximum number of messages that each node has received and not acknowledged.
        max_in_flight: Option<u32> = "a number up to 1000, `256` by default";
        /// Whether the queue is not read. If it is absent, the state that a client has set stays.
        disabled: Option<bool> = "true or false";
    }
}

/// The mapping of an entry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MappingEntry {
    application: String,
    event_type: String,
    event_id: Option<String>,
    #[serde(default)]
    channels: Vec<String>,
    payload: Option<String>,
}

impl From<MappingEntry> for ConsumerMapping {
    fn from(entry: MappingEntry) -> Self {
        let MappingEntry { application, event_type, event_id, channels, payload } = entry;
        Self { application, event_type, event_id, channels, payload }
    }
}

/// A consumer that the configuration file defines, and where.
#[derive(Clone, Debug)]
pub(crate) struct ConfiguredConsumer {
    pub origin: Source,
    /// As people know it.
    pub label: String,
    pub consumer: DeclaredConsumer,
    /// Whether the file contains a credential of it.
    pub is_secret: bool,
}

/// The consumers of the entries.
pub(super) fn parse(entries: &[Entry]) -> Result<Vec<ConfiguredConsumer>, ConfigError> {
    let mut seen = BTreeSet::new();
    let mut consumers = Vec::new();
    for entry in entries {
        let configured = parse_one(entry)?;
        let DeclaredConsumer { organization, uid, .. } = &configured.consumer;
        if !seen.insert((organization.clone(), uid.clone())) {
            let message = format!("is used twice in the organization {organization}");
            return Err(entry.error(&["uid".to_owned()], message));
        }
        consumers.push(configured);
    }
    Ok(consumers)
}

fn parse_one(entry: &Entry) -> Result<ConfiguredConsumer, ConfigError> {
    let parsed: ConsumerEntry = entry.parse()?;
    check_config(entry, &parsed)?;
    let organization =
        parsed.organization.unwrap_or_else(|| DEFAULT_ORGANIZATION.parse().expect("it is a name"));
    let consumer = DeclaredConsumer {
        organization,
        uid: parsed.uid.clone(),
        disabled: parsed.disabled,
        consumer: ConsumerIn {
            uid: Some(parsed.uid.to_string()),
            description: parsed.description.unwrap_or_default(),
            kind: parsed.kind,
            config: ConsumerConfig(parsed.config),
            mapping: parsed.mapping.map(ConsumerMapping::from),
            disabled: parsed.disabled.unwrap_or_default(),
            max_attempts: parsed.max_attempts,
            max_in_flight: parsed.max_in_flight,
        },
    };
    let is_secret = has_secret(parsed.kind, entry.literal());
    Ok(ConfiguredConsumer { origin: entry.origin(), label: entry.label(), consumer, is_secret })
}

/// The same check of the configuration that the API makes.
fn check_config(entry: &Entry, parsed: &ConsumerEntry) -> Result<(), ConfigError> {
    let Err(problems) = QueueConfig::parse(parsed.kind, &parsed.config) else { return Ok(()) };
    let problem = problems.into_iter().next().expect("an error has a problem");
    let path: Vec<_> = std::iter::once("config".to_owned()).chain(problem.path).collect();
    Err(entry.error(&path, problem.message))
}

/// Whether values that are written in the file are credentials.
fn has_secret(kind: QueueKind, literal: &Map<String, Value>) -> bool {
    let config = literal.get("config").and_then(Value::as_object);
    config.is_some_and(|config| mask_fields(QueueConfig::secret_fields(kind), config) != *config)
}
