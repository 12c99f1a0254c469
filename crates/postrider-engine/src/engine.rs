//! The handle that the surface holds, and what it is made from.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use postrider::{
    ApplicationId, EndpointId, EventTypeName, MessageId, OrganizationId, Uid, provider::KeyRequest,
};
use postrider_core::{
    breaker,
    catalog::{Endpoint, Ordering},
    filter,
    message::{Format, Message},
    request::SignatureHeaders,
    retry::Schedule,
    time::Timestamp,
    vault::Vault,
};
use postrider_store::{AppendOutcome, DeliveryOrder, Retention, Shard, Store, StoreError};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    Clock, Directory, Driver, Entry, FetchError, Limits, Listener, Metrics, Sender, Upkeep,
    driver::{Command, Submit},
};

/// What users can configure of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    pub schedule: Schedule,
    /// An endpoint whose deliveries are exhausted over this time is disabled.
    pub disable_endpoint_after: Duration,
    pub breaker: breaker::Policy,
    pub signature_headers: SignatureHeaders,
    /// Names us to receivers.
    pub user_agent: HeaderValue,
    /// Whose applications get the operational messages: the one whose uid is the id of the
    /// organization that a message is about.
    pub operator: Option<OrganizationId>,
    pub retention: Retention,
    /// Drivers, each for its part of the applications.
    pub shards: usize,
}

/// A message that somebody wants accepted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Of the application that it is for.
    pub entry: Arc<Entry>,
    pub event_type: EventTypeName,
    pub event_id: Option<Uid>,
    pub channels: Vec<String>,
    pub tags: Vec<String>,
    pub body: Bytes,
    pub format: Format,
    pub deliver_at: Option<Timestamp>,
    pub body_until: Timestamp,
    /// Digest of the request's idempotency key and its scope.
    pub idempotency: Option<[u8; 32]>,
    /// Send to this endpoint alone, whatever its filters say.
    pub only: Option<EndpointId>,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It is durable, and on its way.
    Accepted(Arc<Message>),
    /// A submission with the same idempotency digest was accepted as this message.
    Repeated(MessageId),
    /// The event id belongs to this message of the application.
    EventIdTaken(MessageId),
}

/// Why a submission was not accepted; nothing of it was kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too many wait already; try again in a moment.
    #[error("too many messages wait to be stored")]
    Overloaded,
    /// The server is going down.
    #[error("shutting down")]
    Stopping,
    #[error(transparent)]
    Store(Arc<StoreError>),
}

/// What the rooms of the engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub store: Arc<dyn Store>,
    pub sender: Arc<dyn Sender>,
    pub directory: Directory,
    pub clock: Clock,
    pub vault: Vault,
    pub metrics: Metrics,
    pub settings: Settings,
    pub shards: Vec<mpsc::Sender<Command>>,
    /// Upkeep has something to do.
    pub upkeep_wanted: Notify,
    /// When a failed store call was logged last, in milliseconds since the epoch.
    pub failed_at: AtomicU64,
    /// A part of the engine stopped on its own.
    pub has_failed: CancellationToken,
}

/// The handle to the running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What has to run for the engine to run; each room on a task of its own.
#[derive(Debug)]
pub struct Rooms {
    pub drivers: Vec<Driver>,
    pub upkeep: Upkeep,
    pub listener: Listener,
    pub(crate) shared: Arc<Shared>,
}

impl Engine {
    /// An engine over a store; it works while its rooms run.
    #[expect(clippy::needless_pass_by_value, reason = "the engine is the sender's owner")]
    pub fn new(
        store: Arc<dyn Store>,
        sender: Arc<dyn Sender>,
        clock: Clock,
        vault: Vault,
        settings: Settings,
    ) -> (Self, Rooms) {
        let count = settings.shards.max(1);
        let (shards, inboxes): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::channel(settings.limits.queued)).unzip();
        let names = settings.signature_headers;
        let agent = settings.user_agent.clone();
        let directory =
            Directory::new(Arc::clone(&store), vault.clone(), names, agent, &settings.limits);
        let metrics = Metrics::default();
        let upkeep_wanted = Notify::new();
        let shared = Arc::new(Shared {
            store,
            sender: Arc::clone(&sender),
            directory,
            clock,
            vault,
            metrics,
            settings,
            shards,
            upkeep_wanted,
            failed_at: AtomicU64::new(0),
            has_failed: CancellationToken::new(),
        });
        let drivers = inboxes.into_iter().enumerate().map(|(index, inbox)| {
            Driver::new(Arc::clone(&shared), Arc::clone(&sender), Shard { index, count }, inbox)
        });
        let rooms = Rooms {
            drivers: drivers.collect(),
            upkeep: Upkeep::new(Arc::clone(&shared)),
            listener: Listener::new(Arc::clone(&shared)),
            shared: Arc::clone(&shared),
        };
        (Self { shared }, rooms)
    }

    /// Makes the message durable and sets its deliveries going.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let shard = self.shard(submission.entry.application.id);
        let (reply, replied) = oneshot::channel();
        let submit = self.shared.submit(submission, reply);
        let message = Arc::clone(&submit.message);
        shard.try_send(Command::Submit(Box::new(submit))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
        })?;
        match replied.await.unwrap_or(Err(SubmitError::Stopping))? {
            AppendOutcome::New => Ok(Submitted::Accepted(message)),
            AppendOutcome::Duplicate(id) => Ok(Submitted::Repeated(id)),
            AppendOutcome::EventIdTaken(id) => Ok(Submitted::EventIdTaken(id)),
        }
    }

    /// Whether every part of the engine is at work; messages are accepted and delivered only
    /// then.
    pub fn is_running(&self) -> bool {
        !self.shared.has_failed.is_cancelled()
            && self.shared.shards.iter().all(|shard| !shard.is_closed())
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub fn vault(&self) -> &Vault {
        &self.shared.vault
    }

    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Fetches what verifying a received webhook takes, as [`Sender::fetch`] does.
    pub async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.shared.sender.fetch(request).await
    }

    /// The organization that gets operational messages.
    pub fn operator(&self) -> Option<&OrganizationId> {
        self.shared.settings.operator.as_ref()
    }

    /// Takes note that the application or an endpoint of it was changed in the store; when
    /// this returns, submissions and deliveries follow the change.
    pub async fn changed(&self, application: ApplicationId) -> Result<(), StoreError> {
        self.shared.changed(application).await
    }

    /// Drops what is in memory of a message whose body was expunged or whose deliveries were
    /// cancelled; calls under way end as they will.
    pub async fn forget(&self, application: ApplicationId, message: MessageId) {
        // A driver that has ended sends nothing any more.
        self.shard(application).send(Command::Forget(application, message)).await.ok();
    }

    /// Looks for due deliveries at once; after a resend or a recovery, or when an endpoint was
    /// enabled.
    pub fn wake(&self, application: ApplicationId) {
        self.shared.wake(application);
        self.shared.upkeep_wanted.notify_one();
    }

    fn shard(&self, application: ApplicationId) -> &mpsc::Sender<Command> {
        self.shared.shard(application)
    }
}

impl Shared {
    pub(crate) fn submit(
        &self,
        submission: Submission,
        reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
    ) -> Submit {
        let message = Arc::new(Message {
            id: self.clock.message_id(),
            application: submission.entry.application.id,
            event_type: submission.event_type,
            event_id: submission.event_id,
            channels: submission.channels,
            tags: submission.tags,
            body: Some(submission.body),
            format: submission.format,
            deliver_at: submission.deliver_at,
            body_until: submission.body_until,
        });
        let endpoints = submission.entry.endpoints.iter();
        let targets = match submission.only {
            Some(only) => endpoints.filter(|it| it.id == only).map(|it| it.id).collect(),
            None => endpoints.filter(|it| filter::wants(it, &message)).map(|it| it.id).collect(),
        };
        let idempotency = submission.idempotency;
        Submit { message, entry: submission.entry, targets, idempotency, reply }
    }

    /// How a delivery to the endpoint stands to the others. One whose message is to leave at a
    /// time of its own has no place in an order: it would hold up all that came after it.
    pub(crate) fn delivery_order(
        &self,
        endpoint: &Endpoint,
        deliver_at: Option<Timestamp>,
    ) -> DeliveryOrder {
        let is_strict = endpoint.strict_rate && endpoint.throttle_rate.is_some();
        let is_in_order = endpoint.ordering == Ordering::Fifo;
        match deliver_at {
            None if is_in_order => DeliveryOrder::InOrder,
            _ if self.store.is_shared() && (is_in_order || is_strict) => DeliveryOrder::Owned,
            _ => DeliveryOrder::Any,
        }
    }

    /// Reads a changed application again; its driver follows when this returns.
    pub(crate) async fn changed(&self, application: ApplicationId) -> Result<(), StoreError> {
        let entry = self.directory.refresh(application).await?;
        let (done, is_done) = oneshot::channel();
        let command = Command::Changed { application, entry, done };
        if self.shard(application).send(command).await.is_ok() {
            // A driver that ends meanwhile has no lanes left to follow the change.
            drop(is_done.await);
        }
        Ok(())
    }

    /// The applications that deliveries are made for now.
    pub(crate) async fn applications_with_lanes(&self) -> BTreeSet<ApplicationId> {
        let mut applications = BTreeSet::new();
        for shard in &self.shards {
            let (reply, replied) = oneshot::channel();
            // A driver that ends has no lanes left.
            if shard.send(Command::Applications(reply)).await.is_ok() {
                applications.extend(replied.await.unwrap_or_default());
            }
        }
        applications
    }

    pub(crate) fn shard(&self, application: ApplicationId) -> &mpsc::Sender<Command> {
        let count = self.shards.len();
        let holds = |index: &usize| Shard { index: *index, count }.holds(application);
        let index = (0..count).find(holds).expect("the shards cover all applications");
        &self.shards[index]
    }

    pub(crate) fn wake_all(&self) {
        for shard in &self.shards {
            // A full inbox means a driver that will look at the store soon anyway.
            drop(shard.try_send(Command::Wake));
        }
    }

    pub(crate) fn wake(&self, application: ApplicationId) {
        // A full inbox means a driver that will look at the store soon anyway.
        drop(self.shard(application).try_send(Command::Wake));
    }
}
