//! Background tasks: work on many deliveries or messages, done batch by batch.

use postrider::{ApplicationId, EndpointId, EventTypeName, MessageId, OrganizationId, TaskId, Uid};
use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    delivery::{ResendMode, StatusKind},
    time::Timestamp,
};

/// A background task of an organization: what it does, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub organization: OrganizationId,
    pub work: Work,
    pub state: TaskState,
    /// Who started it, in words.
    pub started_by: String,
    /// Who cancelled it, in words. A running task ends before its next batch.
    pub cancelled_by: Option<String>,
    pub progress: TaskProgress,
    /// The position from which the next batch continues.
    pub cursor: TaskCursor,
    /// The node that runs it.
    pub lease: Option<TaskLease>,
    pub result: TaskResult,
    /// Why it failed.
    pub error: Option<String>,
    pub updated_at: Timestamp,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Sends deliveries again.
    Resend(Resend),
    /// Creates deliveries of messages that an endpoint should have received and has no delivery of.
    ReplayMissing { application: ApplicationId, endpoint: EndpointId, period: Period },
    /// Cancels pending deliveries of messages that were accepted before a time.
    CancelPending { application: ApplicationId, endpoint: Option<EndpointId>, before: Timestamp },
    /// Removes the payloads of all messages that were accepted before a time.
    ExpungeContents { application: ApplicationId, before: Timestamp },
    /// Counts the deliveries of applications; of all applications if none is named.
    CountDeliveries { applications: Vec<ApplicationId>, period: Period },
    /// Lists the event types that the endpoints of each application subscribe to.
    ListSubscriptions,
}

/// Which deliveries are sent again, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resend {
    pub purpose: ResendPurpose,
    /// Only deliveries of this application.
    pub application: Option<ApplicationId>,
    /// Only deliveries to these endpoints; to all if empty.
    pub endpoints: Vec<EndpointId>,
    pub filter: ResendFilter,
    pub mode: ResendMode,
}

/// The operation that asked for a resend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResendPurpose {
    Recover,
    BulkReplay,
    Filter,
}

/// Conditions on deliveries; all of them must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResendFilter {
    /// When the message was accepted.
    pub period: Period,
    /// The delivery has one of these statuses.
    pub statuses: Vec<StatusKind>,
    /// The message has one of these types; any if empty.
    pub event_types: Vec<EventTypeName>,
    pub channel: Option<String>,
    pub tag: Option<String>,
    /// The result of the last attempt.
    pub cause: Option<Cause>,
}

/// From one time to another, which is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// Whether a task has ended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    Running,
    Finished,
    Failed,
    Cancelled,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// Items that were found.
    pub found: u64,
    /// Items that were changed or counted.
    pub done: u64,
    /// The number of items to change, as counted before the first batch.
    pub total: Option<TaskTotal>,
}

/// A number of items that may have been counted up to a limit only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTotal {
    pub count: u64,
    /// There are at least `count` items.
    pub is_minimum: bool,
}

/// The position of a task: everything up to it is done. Lists are in ascending order of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCursor {
    /// The last application that is done completely.
    pub application: Option<ApplicationId>,
    /// The last endpoint that is done completely, with its application.
    pub endpoint: Option<(ApplicationId, EndpointId)>,
    /// The last message of an endpoint that is done.
    pub delivery: Option<(EndpointId, MessageId)>,
    /// The last message that is done, of a task that goes through the messages of an application.
    pub message: Option<MessageId>,
}

/// The right of one node to run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLease {
    /// Identifies the process.
    pub holder: u64,
    pub until: Timestamp,
}

/// What a task has found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskResult {
    /// The number in the progress.
    #[default]
    Done,
    Deliveries(Vec<DeliveryCount>),
    Subscriptions(Vec<Subscriptions>),
}

/// The number of deliveries of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryCount {
    pub application: ApplicationId,
    pub uid: Option<Uid>,
    pub deliveries: u64,
}

/// The event types that the endpoints of an application subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    pub application: ApplicationId,
    pub event_types: Vec<EventTypeName>,
    /// An endpoint receives all event types.
    pub has_catch_all: bool,
}

impl Task {
    /// A task that no batch was done of.
    pub fn new(
        id: TaskId,
        organization: OrganizationId,
        work: Work,
        started_by: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            organization,
            work,
            state: TaskState::Running,
            started_by,
            cancelled_by: None,
            progress: TaskProgress::default(),
            cursor: TaskCursor::default(),
            lease: None,
            result: TaskResult::Done,
            error: None,
            updated_at: now,
        }
    }

    /// When it was started, taken from its id.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.id.millis())
    }

    pub const fn has_ended(&self) -> bool {
        !matches!(self.state, TaskState::Running)
    }

    /// Whether this process may run the task: no process has a lease, or its own one goes on. A lease
    /// of another process on a store that only one process uses is left over from before a restart.
    pub fn is_available(&self, holder: u64, now: Timestamp, is_shared: bool) -> bool {
        let is_free = |lease: TaskLease| lease.holder == holder || !is_shared || lease.until <= now;
        !self.has_ended() && self.lease.is_none_or(is_free)
    }

    /// Ends the task.
    pub fn end(&mut self, state: TaskState, error: Option<String>, now: Timestamp) {
        self.state = state;
        self.error = error;
        self.lease = None;
        self.updated_at = now;
    }

    /// Items per second since the start, or until the end.
    pub fn rate(&self) -> u64 {
        let millis = self.updated_at.since(self.created_at()).as_millis();
        let done = u128::from(self.progress.done) * 1_000;
        u64::try_from(done / millis.max(1)).unwrap_or(u64::MAX)
    }
}

impl Period {
    /// Whether the time is within the period.
    pub fn contains(self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(lease: Option<TaskLease>, state: TaskState) -> Task {
        let (id, organization) = (TaskId::from_parts(4_096_000, 1), "org_a".parse().unwrap());
        let now = Timestamp::from_millis(3_000);
        let work = Work::ListSubscriptions;
        Task { state, lease, ..Task::new(id, organization, work, String::new(), now) }
    }

    #[test]
    fn one_process_runs_a_task_until_its_lease_ends() {
        let lease =
            |holder, until| Some(TaskLease { holder, until: Timestamp::from_millis(until) });
        for (lease, state, is_shared, expected) in [
            (None, TaskState::Running, true, true),
            (None, TaskState::Finished, true, false),
            (lease(1, 5_000), TaskState::Running, true, true),
            (lease(2, 5_000), TaskState::Running, true, false),
            (lease(2, 5_000), TaskState::Running, false, true),
            (lease(2, 4_000), TaskState::Running, true, true),
        ] {
            let task = task(lease, state);
            let available = task.is_available(1, Timestamp::from_millis(4_000), is_shared);
            assert_eq!(available, expected, "{lease:?} {state:?} {is_shared}");
        }
    }

    #[test]
    fn the_rate_is_that_of_the_whole_run() {
        let mut task = task(None, TaskState::Running);
        task.progress.done = 500;
        assert_eq!(task.created_at(), Timestamp::from_millis(1_000));
        assert_eq!(task.rate(), 250);
    }
}
