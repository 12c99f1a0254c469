//! Background tasks: listing, getting and cancelling them. The operations that start tasks are with
//! what the tasks work on.

mod render;
pub mod resend;
mod start;
pub mod statistics;

use postrider::{
    TaskId,
    api::{
        BackgroundTaskKind, BackgroundTaskOut, BackgroundTaskStatus, BackgroundTaskType,
        ListResponse,
    },
};
use postrider_core::catalog::Task;
use postrider_store::{Expected, IdOrUid, Records, Scan, Version};
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde_json::{Value, json};

pub(super) use self::{
    render::started,
    start::{begin, period, who},
};
use crate::{
    api::{
        error::ApiError,
        operation::operations,
        path::PathArgument,
        query::{Argument, query},
        reply::Done,
    },
    operations::{
        call::Call,
        page::{Page, PageQuery},
    },
    race,
};
use postrider::api::Permission;

/// Tasks that are read in one call: the result of each may be large.
const PAGE: usize = 64;

operations! {
    tag "Background Tasks";

    /// List background tasks, newest first
    List "v1.background-task.list" = GET "/api/v1/background-task"
        query { (PageQuery, TaskQuery) }
        -> Done<ListResponse<BackgroundTaskOut>> = list,
        needs(Permission::Read);

    /// Get a background task
    Get "v1.background-task.get" = GET "/api/v1/background-task/{task_id}"
        path { task_id: TaskId }
        -> Done<BackgroundTaskOut> = get,
        needs(Permission::Read);

    /// Cancel a background task, which ends at its next batch
    Cancel "v1.background-task.cancel" = POST "/api/v1/background-task/{task_id}/cancel"
        path { task_id: TaskId }
        -> Done<BackgroundTaskOut> = cancel,
        needs(Permission::Operate);
}

query! {
    TaskQuery {
        /// Only tasks with this status.
        status: Option<BackgroundTaskStatus>,
        /// Only tasks of this type.
        task: Option<BackgroundTaskType>,
        /// Only tasks of this kind.
        kind: Option<BackgroundTaskKind>,
    }
}

/// Tasks have no uids, so a text that is not an id names no task.
impl PathArgument for TaskId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("background task"))
    }
}

macro_rules! words {
    ($($type:ty: $($word:literal)+;)+) => {$(
        impl Argument for Option<$type> {
            fn schema() -> Value {
                json!({ "type": "string", "enum": [$($word),+] })
            }

            fn parse(values: &[&str]) -> Result<Self, String> {
                let read = <$type>::deserialize(StrDeserializer::<Error>::new(values[0]));
                read.map(Some).map_err(|_| format!("must be one of {}", [$($word),+].join(", ")))
            }
        }
    )+};
}
words! {
    BackgroundTaskStatus: "running" "finished" "failed";
    BackgroundTaskType: "endpoint.replay" "endpoint.recover" "application.stats"
        "event-type.aggregate" "application.purge_content" "endpoint.bulk-replay";
    BackgroundTaskKind: "recover" "bulkReplay" "replayMissing" "resend" "cancelPending"
        "expungeContents" "countDeliveries" "listSubscriptions";
}

async fn list(call: Call, input: List) -> Result<Done<ListResponse<BackgroundTaskOut>>, ApiError> {
    let (query, wanted) = input.query;
    let mut page = Page::<TaskId>::of(&call, &query)?;
    let matches = |task: &Task| {
        wanted.status.is_none_or(|it| render::status(task) == it)
            && wanted.task.is_none_or(|it| render::task_type(&task.work) == it)
            && wanted.kind.is_none_or(|it| render::kind(&task.work) == it)
    };
    let read = async |scan: Scan<TaskId>| {
        let scan = Scan { limit: scan.limit.min(PAGE), ..scan };
        let mut found = call.store().list::<Task>(call.organization(), scan).await?;
        found.items.retain(matches);
        Ok(found)
    };
    let found = page.fill(read).await?;
    Ok(Done(page.list(found, |it| it.id, render::task)))
}

async fn get(call: Call, input: Get) -> Result<Done<BackgroundTaskOut>, ApiError> {
    let (task, _) = find(&call, input.task_id).await?;
    Ok(Done(render::task(task)))
}

async fn cancel(call: Call, input: Cancel) -> Result<Done<BackgroundTaskOut>, ApiError> {
    let task = race::retry(|| try_cancel(&call, input.task_id)).await?;
    call.engine().wake_background_tasks();
    Ok(Done(render::task(task)))
}

/// A task that has ended, or was cancelled before, stays as it is.
async fn try_cancel(call: &Call, id: TaskId) -> Result<Task, ApiError> {
    let (mut task, version) = find(call, id).await?;
    if task.has_ended() || task.cancelled_by.is_some() {
        return Ok(task);
    }
    task.cancelled_by = Some(who(call));
    task.updated_at = call.now;
    call.store().save(&task, Expected::Version(version)).await?;
    Ok(task)
}

async fn find(call: &Call, id: TaskId) -> Result<(Task, Version), ApiError> {
    let found = call.store().get_versioned::<Task>(call.organization(), &IdOrUid::Id(id)).await?;
    found.ok_or(ApiError::NotFound("background task"))
}
