//! Sends commands to the drivers.

use std::{collections::BTreeSet, sync::Arc};

use postrider::{ApplicationId, EndpointId, MessageId};
use postrider_core::lane_state::LaneState;
use postrider_store::Shard;
use tokio::sync::{mpsc, oneshot};

use crate::{
    command::{Command, Submit},
    directory::Entry,
    submission::SubmitError,
};

/// Knows which driver handles an application; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    shards: Arc<[mpsc::Sender<Command>]>,
}

impl Router {
    /// A router for a number of drivers, and their inboxes of the given size.
    pub(crate) fn new(count: usize, inbox: usize) -> (Self, Vec<mpsc::Receiver<Command>>) {
        let (shards, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(inbox)).unzip();
        (Self { shards: shards.into() }, inboxes)
    }

    /// Whether every driver takes commands.
    pub(crate) fn is_open(&self) -> bool {
        self.shards.iter().all(|shard| !shard.is_closed())
    }

    pub(crate) fn submit(&self, submit: Submit) -> Result<(), SubmitError> {
        let shard = self.shard(submit.message.application);
        shard.try_send(Command::Submit(Box::new(submit))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
        })
    }

    /// Lets the application's driver follow a change; it has done so when this returns.
    pub(crate) async fn change(&self, application: ApplicationId, entry: Option<Arc<Entry>>) {
        let (done, is_done) = oneshot::channel();
        let command = Command::Changed { application, entry, done };
        if self.shard(application).send(command).await.is_ok() {
            // A driver that ends meanwhile has no lanes left to follow the change.
            drop(is_done.await);
        }
    }

    /// Drops the waiting deliveries of the message; only the one to the endpoint, if there is one.
    pub(crate) async fn forget(
        &self,
        application: ApplicationId,
        message: MessageId,
        endpoint: Option<EndpointId>,
    ) {
        let command = Command::Forget(application, message, endpoint);
        // A driver that has ended sends nothing any more.
        self.shard(application).send(command).await.ok();
    }

    /// Lets the application's driver claim due deliveries without delay.
    pub(crate) fn wake(&self, application: ApplicationId) {
        // A driver with a full inbox will claim soon anyway.
        drop(self.shard(application).try_send(Command::Wake));
    }

    pub(crate) fn wake_all(&self) {
        for shard in self.shards.iter() {
            // A driver with a full inbox will claim soon anyway.
            drop(shard.try_send(Command::Wake));
        }
    }

    /// The applications that have lanes.
    pub(crate) async fn applications_with_lanes(&self) -> BTreeSet<ApplicationId> {
        let mut applications = BTreeSet::new();
        for shard in self.shards.iter() {
            let (reply, replied) = oneshot::channel();
            // A driver that ends has no lanes left.
            if shard.send(Command::Applications(reply)).await.is_ok() {
                applications.extend(replied.await.unwrap_or_default());
            }
        }
        applications
    }

    /// The states of the lanes of an application, or of all.
    /// Waits until each driver has handled a command; `false` if one has ended.
    pub(crate) async fn responds(&self) -> bool {
        // No application has this id, so the response is short.
        let nothing = Some(ApplicationId::from_u128(0));
        for shard in &*self.shards {
            let (reply, replied) = oneshot::channel();
            if shard.send(Command::Lanes(nothing, reply)).await.is_err() || replied.await.is_err() {
                return false;
            }
        }
        true
    }

    pub(crate) async fn lane_states(&self, of: Option<ApplicationId>) -> Vec<LaneState> {
        let asked = match of {
            Some(application) => std::slice::from_ref(self.shard(application)),
            None => &self.shards[..],
        };
        let mut states = Vec::new();
        for shard in asked {
            let (reply, replied) = oneshot::channel();
            // A driver that ends has no lanes left.
            if shard.send(Command::Lanes(of, reply)).await.is_ok() {
                states.extend(replied.await.unwrap_or_default());
            }
        }
        states
    }

    fn shard(&self, application: ApplicationId) -> &mpsc::Sender<Command> {
        let count = self.shards.len();
        let holds = |index: &usize| Shard { index: *index, count }.holds(application);
        let index = (0..count).find(holds).expect("the shards cover all applications");
        &self.shards[index]
    }
}
