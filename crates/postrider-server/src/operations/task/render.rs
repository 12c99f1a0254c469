//! Background tasks as the API shows them.

use postrider::api::{
    BackgroundTaskKind, BackgroundTaskOut, BackgroundTaskProgress, BackgroundTaskState,
    BackgroundTaskStatus, BackgroundTaskType, RecoverOut,
};
use postrider_core::{
    catalog::{Period, Resend, ResendFilter, ResendPurpose, Task, TaskResult, TaskState, Work},
    delivery::{ResendMode, StatusKind},
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use crate::api::convert::to_wire;

/// The response to an operation that started a task.
pub(in crate::operations) fn started(task: &Task) -> RecoverOut {
    RecoverOut {
        id: task.id,
        status: status(task),
        task: task_type(&task.work),
        updated_at: to_wire(task.updated_at),
    }
}

pub(super) fn task(it: Task) -> BackgroundTaskOut {
    let total = it.progress.total;
    BackgroundTaskOut {
        id: it.id,
        status: status(&it),
        task: task_type(&it.work),
        data: data(&it),
        updated_at: to_wire(it.updated_at),
        kind: kind(&it.work),
        state: state(&it),
        parameters: parameters(&it.work),
        progress: BackgroundTaskProgress {
            found: it.progress.found,
            done: it.progress.done,
            total: total.map(|it| it.count),
            is_minimum: total.is_some_and(|it| it.is_minimum),
            per_second: it.rate(),
        },
        created_at: to_wire(it.created_at()),
        error: it.error,
        started_by: it.started_by,
    }
}

/// The status that all clients know.
pub(super) const fn status(task: &Task) -> BackgroundTaskStatus {
    match task.state {
        TaskState::Running => BackgroundTaskStatus::Running,
        TaskState::Finished => BackgroundTaskStatus::Finished,
        TaskState::Failed | TaskState::Cancelled => BackgroundTaskStatus::Failed,
    }
}

const fn state(task: &Task) -> BackgroundTaskState {
    match task.state {
        TaskState::Running if task.cancelled_by.is_some() => BackgroundTaskState::Cancelling,
        TaskState::Running => BackgroundTaskState::Running,
        TaskState::Finished => BackgroundTaskState::Finished,
        TaskState::Failed => BackgroundTaskState::Failed,
        TaskState::Cancelled => BackgroundTaskState::Cancelled,
    }
}

pub(super) const fn kind(work: &Work) -> BackgroundTaskKind {
    match work {
        Work::Resend(it) => match it.purpose {
            ResendPurpose::Recover => BackgroundTaskKind::Recover,
            ResendPurpose::BulkReplay => BackgroundTaskKind::BulkReplay,
            ResendPurpose::Filter => BackgroundTaskKind::Resend,
        },
        Work::ReplayMissing { .. } => BackgroundTaskKind::ReplayMissing,
        Work::CancelPending { .. } => BackgroundTaskKind::CancelPending,
        Work::ExpungeContents { .. } => BackgroundTaskKind::ExpungeContents,
        Work::CountDeliveries { .. } => BackgroundTaskKind::CountDeliveries,
        Work::ListSubscriptions => BackgroundTaskKind::ListSubscriptions,
    }
}

/// The type that all clients know. Kinds of our own are shown as the nearest one.
pub(super) const fn task_type(work: &Work) -> BackgroundTaskType {
    match kind(work) {
        BackgroundTaskKind::Recover => BackgroundTaskType::EndpointRecover,
        BackgroundTaskKind::BulkReplay | BackgroundTaskKind::Resend => {
            BackgroundTaskType::EndpointBulkReplay
        },
        BackgroundTaskKind::ReplayMissing => BackgroundTaskType::EndpointReplay,
        BackgroundTaskKind::CancelPending | BackgroundTaskKind::ExpungeContents => {
            BackgroundTaskType::ApplicationPurgeContent
        },
        BackgroundTaskKind::CountDeliveries => BackgroundTaskType::ApplicationStats,
        BackgroundTaskKind::ListSubscriptions => BackgroundTaskType::EventTypeAggregate,
    }
}

fn data(task: &Task) -> Map<String, Value> {
    let done = task.progress.done;
    let mut data = match (&task.work, &task.result) {
        (_, TaskResult::Deliveries(counts)) => {
            let count = |it: &postrider_core::catalog::DeliveryCount| {
                json!({
                    "appId": it.application,
                    "appUid": it.uid,
                    "messageDestinations": it.deliveries,
                })
            };
            object(json!({ "appStats": counts.iter().map(count).collect::<Vec<_>>() }))
        },
        (_, TaskResult::Subscriptions(all)) => {
            let subscriptions = |it: &postrider_core::catalog::Subscriptions| {
                json!({
                    "appId": it.application,
                    "explicitlySubscribedEventTypes": it.event_types,
                    "hasCatchAllEndpoint": it.has_catch_all,
                })
            };
            // With an underscore, because clients expect it.
            object(json!({ "event_types": all.iter().map(subscriptions).collect::<Vec<_>>() }))
        },
        (Work::CountDeliveries { .. }, TaskResult::Done) => object(json!({ "appStats": [] })),
        (Work::ListSubscriptions, TaskResult::Done) => object(json!({ "event_types": [] })),
        (Work::Resend(_) | Work::ReplayMissing { .. }, TaskResult::Done) => {
            object(json!({ "messagesSent": done }))
        },
        (Work::CancelPending { .. }, TaskResult::Done) => {
            object(json!({ "messagesCanceled": done }))
        },
        (Work::ExpungeContents { .. }, TaskResult::Done) => {
            object(json!({ "messagesPurged": done }))
        },
    };
    if let Some(error) = &task.error {
        data.insert("error".to_owned(), Value::from(error.clone()));
    }
    data
}

fn parameters(work: &Work) -> Map<String, Value> {
    match work {
        Work::Resend(resend) => resend_parameters(resend),
        Work::ReplayMissing { application, endpoint, period } => object(json!({
            "appId": application,
            "endpointId": endpoint,
            "since": text(period.since),
            "until": text(period.until),
        })),
        Work::CancelPending { application, endpoint, before } => object(json!({
            "appId": application,
            "endpointId": endpoint,
            "createdBefore": text(*before),
        })),
        Work::ExpungeContents { application, before } => object(json!({
            "appId": application,
            "createdBefore": text(*before),
        })),
        Work::CountDeliveries { applications, period } => object(json!({
            "appIds": applications,
            "since": text(period.since),
            "until": text(period.until),
        })),
        Work::ListSubscriptions => Map::new(),
    }
}

fn resend_parameters(resend: &Resend) -> Map<String, Value> {
    let Resend { application, endpoints, filter, mode, .. } = resend;
    let ResendFilter { period, statuses, event_types, channel, tag, cause } = filter;
    let Period { since, until } = *period;
    object(json!({
        "appId": application,
        "endpointIds": endpoints,
        "since": text(since),
        "until": text(until),
        "statuses": statuses.iter().copied().map(status_text).collect::<Vec<_>>(),
        "eventTypes": event_types,
        "channel": channel,
        "tag": tag,
        "cause": cause.map(|it| it.to_string()),
        "retry": *mode == ResendMode::Retry,
    }))
}

const fn status_text(status: StatusKind) -> &'static str {
    match status {
        StatusKind::Delivered => "success",
        StatusKind::Pending => "pending",
        StatusKind::Sending => "sending",
        StatusKind::Failed => "fail",
        StatusKind::Cancelled => "canceled",
    }
}

fn text(at: Timestamp) -> String {
    at.to_rfc3339()
}

/// The fields of an object that have a value.
fn object(value: Value) -> Map<String, Value> {
    let Value::Object(mut fields) = value else { return Map::new() };
    fields.retain(|_, value| !value.is_null());
    fields
}
