//! What a driver is asked to do.

use std::{collections::HashSet, sync::Arc};

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::{lane_state::LaneState, message::Message};
use postrider_store::AppendOutcome;
use tokio::sync::oneshot;

use crate::{
    directory::Entry,
    submission::{Submission, SubmitError},
};

/// What a driver is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Submit(Box<Submit>),
    /// The application was changed to `entry`, or removed.
    Changed {
        application: ApplicationId,
        entry: Option<Arc<Entry>>,
        done: oneshot::Sender<()>,
    },
    /// The deliveries of this message, or the one to the endpoint, have ended in the store.
    Forget(ApplicationId, MessageId, Option<EndpointId>),
    /// Claim due deliveries without delay.
    Wake,
    /// Reply with the states of the lanes of this application, or of all.
    Lanes(Option<ApplicationId>, oneshot::Sender<Vec<LaneState>>),
    /// Reply with the applications that have lanes.
    Applications(oneshot::Sender<HashSet<ApplicationId>>),
}

/// A message to make durable, and where to send the result.
#[derive(Debug)]
pub(crate) struct Submit {
    pub message: Arc<Message>,
    pub entry: Arc<Entry>,
    pub targets: Vec<EndpointId>,
    pub idempotency: Option<[u8; 32]>,
    pub reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
}

impl Submit {
    pub(crate) fn new(
        submission: Submission,
        id: MessageId,
        reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
    ) -> Self {
        let message = Arc::new(Message {
            id,
            application: submission.entry.application.id,
            event_type: submission.event_type,
            event_id: submission.event_id,
            channels: submission.channels,
            tags: submission.tags,
            body: Some(submission.body),
            format: submission.format,
            deliver_at: submission.deliver_at,
            body_until: submission.body_until,
            trace: submission.trace,
        });
        let entry = &submission.entry;
        let targets = match submission.only {
            _ if submission.history.is_some() => Vec::new(),
            Some(only) => entry.endpoints.iter().map(|it| it.id).filter(|id| *id == only).collect(),
            None => entry.targets(&message).into_iter().map(|it| it.id).collect(),
        };
        let idempotency = submission.idempotency;
        Self { message, entry: submission.entry, targets, idempotency, reply }
    }
}
