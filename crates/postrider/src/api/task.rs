//! Background tasks: what starts them, and how far they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    api::{
        attempt::{MessageStatus, StatusCodeClass},
        field::or_default,
        time,
    },
    id::{ApplicationId, EndpointId, MessageId, TaskId},
    name::EventTypeName,
};

/// The status of a background task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum BackgroundTaskStatus {
    /// The task is running.
    Running,
    /// The task has finished.
    Finished,
    /// The task has failed, or was cancelled.
    Failed,
}

/// What a background task does, in words that all clients know; see [`BackgroundTaskKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BackgroundTaskType {
    /// Sends messages that an endpoint missed.
    #[serde(rename = "endpoint.replay")]
    EndpointReplay,
    /// Resends the failed deliveries of an endpoint.
    #[serde(rename = "endpoint.recover")]
    EndpointRecover,
    /// Counts the deliveries of applications.
    #[serde(rename = "application.stats")]
    ApplicationStats,
    /// Lists the event types that applications subscribe to.
    #[serde(rename = "event-type.aggregate")]
    EventTypeAggregate,
    /// Removes payloads or pending deliveries.
    #[serde(rename = "application.purge_content")]
    ApplicationPurgeContent,
    /// Resends deliveries, also those that succeeded.
    #[serde(rename = "endpoint.bulk-replay")]
    EndpointBulkReplay,
}

/// What a background task does. A Postrider extension: clients of the hosted API reject types that
/// they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum BackgroundTaskKind {
    /// Resends the failed and cancelled deliveries of an endpoint.
    Recover,
    /// Resends the deliveries of an endpoint, also those that succeeded.
    BulkReplay,
    /// Sends messages that an endpoint missed.
    ReplayMissing,
    /// Resends the deliveries that a filter matches.
    Resend,
    /// Cancels pending deliveries.
    CancelPending,
    /// Removes the payloads of an application's messages.
    ExpungeContents,
    /// Counts the deliveries of applications.
    CountDeliveries,
    /// Lists the event types that applications subscribe to.
    ListSubscriptions,
}

/// The state of a background task. A Postrider extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum BackgroundTaskState {
    /// The task is running, or waits for its turn.
    Running,
    /// The task was cancelled and ends at its next batch.
    Cancelling,
    /// The task has finished.
    Finished,
    /// The task has failed.
    Failed,
    /// The task was cancelled. What it had done stays.
    Cancelled,
}

/// A background task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BackgroundTaskOut {
    /// The identifier that the server assigned; ids sort by time.
    pub id: TaskId,
    /// The status of the task.
    pub status: BackgroundTaskStatus,
    /// What the task does.
    pub task: BackgroundTaskType,
    /// What the task has done or found out, such as `messagesSent`.
    pub data: Map<String, Value>,
    /// When the task was last updated.
    pub updated_at: Timestamp,
    /// What the task does, exactly. A Postrider extension.
    pub kind: BackgroundTaskKind,
    /// The state of the task. A Postrider extension.
    pub state: BackgroundTaskState,
    /// What the task was started with. A Postrider extension.
    pub parameters: Map<String, Value>,
    /// How far the task is. A Postrider extension.
    pub progress: BackgroundTaskProgress,
    /// Why the task has failed, or who cancelled it. A Postrider extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Who started the task. A Postrider extension.
    pub started_by: String,
    /// When the task was started. A Postrider extension.
    pub created_at: Timestamp,
}

/// How far a background task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BackgroundTaskProgress {
    /// Items that were found.
    pub found: u64,
    /// Items that were changed or counted.
    pub done: u64,
    /// Items that there were when the task began, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// There are at least `total` items: they were counted up to a limit only.
    pub is_minimum: bool,
    /// Items per second.
    pub per_second: u64,
}

/// The background task that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecoverOut {
    /// The task.
    pub id: TaskId,
    /// The status of the task.
    pub status: BackgroundTaskStatus,
    /// What the task does.
    pub task: BackgroundTaskType,
    /// When the status was last updated.
    pub updated_at: Timestamp,
}

/// Resends the deliveries of an endpoint that match all conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkReplayIn {
    /// Start of the period in which the messages were accepted, inclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// End of the period, exclusive; now if absent.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
    /// Only messages of these types.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EventTypeName>>"))]
    pub event_types: Vec<EventTypeName>,
    /// Only messages with this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Only messages with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only deliveries with this status; by default, all that have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    /// Only deliveries whose last response had a status code of this class; 0 means no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code_class: Option<StatusCodeClass>,
    /// Whether a failure starts the retry schedule again. By default, each delivery gets one
    /// attempt. A Postrider extension.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

/// Sends messages that an endpoint should have received and has no delivery of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReplayIn {
    /// Start of the period in which the messages were accepted, inclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// End of the period, exclusive; now if absent.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
}

/// Resends the deliveries that match all conditions, in one application or in all of them. A
/// Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResendIn {
    /// Start of the period in which the messages were accepted, inclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// End of the period, exclusive; now if absent.
    #[serde(
        default,
        deserialize_with = "time::deserialize_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
    /// Only this application: its id or uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// Only these endpoints of the application: their ids or uids.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub endpoint_ids: Vec<String>,
    /// Only deliveries with one of these statuses; by default, failed and cancelled ones.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<MessageStatus>>"))]
    pub status: Vec<MessageStatus>,
    /// Only messages of these types.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<EventTypeName>>"))]
    pub event_types: Vec<EventTypeName>,
    /// Only messages with this channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Only messages with this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only deliveries whose last attempt ended like this: a status such as `404`, a class such as
    /// `5xx`, `response` for any that is not a success, `none` for no response, or a reason for
    /// that: `resolve`, `connect`, `tls`, `timeout`,
    /// `forbidden`, `protocol`, `rejected`, `misconfigured`, `unavailable` or `busy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Whether a failure starts the retry schedule again. By default, each delivery gets one
    /// attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

/// The deliveries that a resend would send again. A Postrider extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResendPreviewOut {
    /// The number of deliveries.
    pub count: u64,
    /// There are at least `count` deliveries: they were counted up to a limit only.
    pub is_minimum: bool,
    /// Up to five of them.
    pub samples: Vec<ResendSampleOut>,
}

/// A delivery that would be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ResendSampleOut {
    /// The application.
    pub app_id: ApplicationId,
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The message.
    pub msg_id: MessageId,
    /// The message's event type.
    pub event_type: EventTypeName,
    /// The status of the delivery.
    pub status: MessageStatus,
    /// The number of attempts made so far.
    pub attempts: u16,
    /// When the message was accepted.
    pub timestamp: Timestamp,
}

/// Cancels pending deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CancelMsgsIn {
    /// Only deliveries of messages that were accepted before this time.
    #[serde(deserialize_with = "time::deserialize")]
    pub created_before: Timestamp,
}

/// A message that could be published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagePrecheckIn {
    /// Its event type.
    pub event_type: EventTypeName,
    /// Its channels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub channels: Vec<String>,
}

/// Whether a message would be sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessagePrecheckOut {
    /// Whether any endpoint would get the message.
    pub active: bool,
}

/// Most messages whose payloads one request can delete.
pub const MAX_EXPUNGED: usize = 1_000;

/// Deletes the payloads of these messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkExpungeContentsIn {
    /// The ids or event ids of the messages, up to 1000.
    #[serde(default, deserialize_with = "or_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>", length(max = MAX_EXPUNGED)))]
    pub ids: Vec<String>,
}

/// The result for each message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BulkExpungeContentsOut {
    /// The results by id, as it was given.
    pub results: BTreeMap<String, BulkExpungeStatus>,
}

/// Whether the payload of a message was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BulkExpungeStatus {
    /// It was deleted.
    Expunged,
    /// There is no such message.
    NotFound,
}

/// Counts the deliveries of applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppUsageStatsIn {
    /// Start of the period in which the messages were accepted, inclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub since: Timestamp,
    /// End of the period, exclusive.
    #[serde(deserialize_with = "time::deserialize")]
    pub until: Timestamp,
    /// The ids or uids of the applications; all of them if absent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<String>>"))]
    pub app_ids: Vec<String>,
}

/// The background task that counts the deliveries of applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AppUsageStatsOut {
    /// The task.
    pub id: TaskId,
    /// The status of the task.
    pub status: BackgroundTaskStatus,
    /// What the task does.
    pub task: BackgroundTaskType,
    /// When the status was last updated.
    pub updated_at: Timestamp,
    /// The ids and uids that no application has.
    pub unresolved_app_ids: Vec<String>,
}

/// A number of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CountOut {
    /// The number of attempts.
    pub count: u64,
    /// There are more attempts: they were counted up to a limit only.
    pub approximated: bool,
}
