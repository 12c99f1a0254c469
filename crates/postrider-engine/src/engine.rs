//! The handle to the running engine, and how an engine is created.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use futures_util::FutureExt;
use postrider::{
    ApplicationId, ConsumerId, MessageId, OrganizationId, SourceId, api::EndpointKind,
    provider::KeyRequest,
};
use postrider_core::{
    alert::Alert,
    catalog::{OrganizationSettings, Resend, organization_digest},
    lane_state::LaneState,
    message::Message,
    statistics::StatisticsRetention,
    target::Target,
    vault::Vault,
};
use postrider_store::{AppendOutcome, Retention, Shard, Store, StoreError};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    alerts::{self, AlertInbox, AlertSender, AlertTask},
    background::{self, BackgroundRunner, Preview},
    changes::Changes,
    clock::Clock,
    command::Submit,
    components::Components,
    directory::{Directory, Entry},
    driver::Driver,
    grants::StoredGrants,
    listener::Listener,
    maintenance::MaintenanceTask,
    metrics::Metrics,
    operational::{OperationalListeners, OperationalMessages},
    panic_text::panic_text,
    polling::Polling,
    queue::StoredPartitions,
    rotation::{Rotation, RotationTask},
    router::Router,
    sender::{Call, FetchError, LiveHub, Report, Sender, Shaper},
    settings::Settings,
    store_errors::StoreErrors,
    submission::{Submission, SubmitError, Submitted},
    tasks::EngineTasks,
    tracer::Tracer,
};

/// The handle to the running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    components: Components,
    vault: Vault,
    maintenance: Arc<Notify>,
    background: Arc<Notify>,
    rotation: Rotation,
    /// Cancelled when one of the tasks has stopped on its own.
    has_failed: CancellationToken,
}

fn directory(store: &Arc<dyn Store>, vault: &Vault, settings: &Settings) -> Directory {
    Directory::new(
        Arc::clone(store),
        vault.clone(),
        settings.signature_headers,
        settings.user_agent.clone(),
        &settings.limits,
    )
}

impl Engine {
    /// An engine over a store. It works while its tasks run.
    pub fn new(
        store: Arc<dyn Store>,
        sender: Arc<dyn Sender>,
        clock: Clock,
        vault: Vault,
        settings: Settings,
    ) -> (Self, EngineTasks) {
        let count = settings.shards.max(1);
        let (router, inboxes) = Router::new(count, settings.limits.queued);
        let directory = Arc::new(directory(&store, &vault, &settings));
        let metrics = Arc::new(Metrics::new(settings.endpoint_metrics));
        let clock = Arc::new(clock);
        let errors = Arc::new(StoreErrors::new(Arc::clone(&clock), Arc::clone(&metrics)));
        let operator = settings.operator.clone();
        let listeners = Arc::new(OperationalListeners::new(operator, Arc::clone(&directory)));
        let operational = OperationalMessages {
            listeners: Arc::clone(&listeners),
            store: Arc::clone(&store),
            directory: Arc::clone(&directory),
            clock: Arc::clone(&clock),
            errors: Arc::clone(&errors),
        };
        sender.attach(Arc::new(StoredGrants {
            store: Arc::clone(&store),
            vault: vault.clone(),
            clock: Arc::clone(&clock),
        }));
        let components = Components {
            changes: Changes {
                directory: Arc::clone(&directory),
                router: router.clone(),
                catalog: Arc::default(),
            },
            polling: Polling::new(Arc::clone(&store), Arc::clone(&clock)),
            store,
            sender,
            clock,
            metrics,
            alerts: Arc::new(AlertInbox::new(settings.alerts.clone())),
            settings: Arc::new(settings),
            directory,
            router,
            errors,
            operational: Arc::new(operational),
            access_changes: Arc::default(),
            listeners,
        };
        let (maintenance, has_failed) = (Arc::<Notify>::default(), CancellationToken::new());
        let background = Arc::<Notify>::default();
        let drivers = inboxes
            .into_iter()
            .enumerate()
            .map(|(index, inbox)| Driver::new(&components, Shard { index, count }, inbox));
        let (rotating, rotation) = RotationTask::new(&components, &vault);
        let tasks = EngineTasks {
            drivers: drivers.collect(),
            rotation: rotating,
            maintenance: MaintenanceTask::new(&components, Arc::clone(&maintenance)),
            background: BackgroundRunner::new(&components, Arc::clone(&background)),
            listener: Listener::new(&components),
            alerts: None,
            has_failed: has_failed.clone(),
        };
        let inner = Inner { components, vault, maintenance, background, rotation, has_failed };
        (Self { inner: Arc::new(inner) }, tasks)
    }

    /// Makes the message durable and starts its deliveries, if it has any.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let (reply, replied) = oneshot::channel();
        let id = submission.history.unwrap_or_else(|| self.clock().message_id());
        let submit = if submission.takes_long() {
            // The result is missing only if the process ends or the work panics.
            tokio::task::spawn_blocking(move || Submit::new(submission, id, reply))
                .await
                .map_err(|_| SubmitError::Stopping)?
        } else {
            Submit::new(submission, id, reply)
        };
        let message = Arc::clone(&submit.message);
        self.components().router.submit(submit)?;
        match replied.await.unwrap_or(Err(SubmitError::Stopping))? {
            AppendOutcome::New => Ok(Submitted::Accepted(message)),
            AppendOutcome::Duplicate(id) => Ok(Submitted::Repeated(id)),
            AppendOutcome::EventIdTaken(id) => Ok(Submitted::EventIdTaken(id)),
            AppendOutcome::IdTaken => Err(SubmitError::IdTaken),
        }
    }

    /// Whether all tasks of the engine run. Messages are accepted and delivered only then.
    pub fn is_running(&self) -> bool {
        !self.inner.has_failed.is_cancelled() && self.components().router.is_open()
    }

    /// Waits until every part that handles messages has responded; `false` if one has stopped.
    pub async fn responds(&self) -> bool {
        self.is_running() && self.components().router.responds().await
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.components().store
    }

    pub fn directory(&self) -> &Directory {
        &self.components().directory
    }

    pub fn clock(&self) -> &Clock {
        &self.components().clock
    }

    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// The state of the rotation of the main secret.
    pub fn rotation(&self) -> &Rotation {
        &self.inner.rotation
    }

    /// Records traces, if they are exported.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.components().settings.tracer.as_ref()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.components().metrics
    }

    /// Fetches what is needed to verify a received webhook, as [`Sender::fetch`] does.
    pub async fn fetch(&self, request: &KeyRequest) -> Result<Bytes, FetchError> {
        self.components().sender.fetch(request).await
    }

    /// The readers of `live` endpoints that are connected to this node, if it can have any.
    pub fn live(&self) -> Option<&Arc<LiveHub>> {
        self.components().sender.live()
    }

    /// The logs of polling endpoints.
    pub fn polling(&self) -> &Polling {
        &self.components().polling
    }

    /// Delivers a message once, apart from all other deliveries, and stores nothing.
    pub async fn deliver_directly(&self, target: Arc<Target>, message: Arc<Message>) -> Report {
        if is_polled(&target) {
            return Report::delivered(POLLED);
        }
        let body = message.body.clone().unwrap_or_default();
        let at = self.clock().now();
        let call = Call { target, message, batch: Vec::new(), body, at, trace: None };
        caught(self.components().sender.send(call)).await
    }

    /// Whether an endpoint can be reached, as [`Sender::check`] does.
    pub async fn check(&self, target: Arc<Target>) -> Report {
        if is_polled(&target) {
            return Report::delivered(POLLED);
        }
        caught(self.components().sender.check(target)).await
    }

    /// What runs transformations, if this installation can.
    pub fn shaper(&self) -> Option<&Shaper> {
        self.components().sender.shaper()
    }

    /// Whether this build can deliver to endpoints of the kind.
    pub fn supports(&self, kind: EndpointKind) -> bool {
        kind == EndpointKind::Polling || self.components().sender.supports(kind)
    }

    /// The partitions of a consumer's queue, for a new reader.
    pub fn partitions(&self, consumer: ConsumerId) -> StoredPartitions {
        let Components { store, clock, .. } = self.components();
        StoredPartitions::new(Arc::clone(store), Arc::clone(clock), consumer)
    }

    /// The applications that receive the operational messages about an organization.
    pub async fn operational_listeners(
        &self,
        organization: &OrganizationId,
    ) -> Result<Vec<Arc<Entry>>, StoreError> {
        self.components().listeners.of(organization).await
    }

    /// The settings of an organization.
    pub async fn organization_settings(
        &self,
        organization: &OrganizationId,
    ) -> Result<OrganizationSettings, StoreError> {
        self.components().listeners.settings(organization).await
    }

    /// The organization of the applications that the server creates. Each belongs to an
    /// organization, whose id is its uid; its endpoints receive the operational webhooks.
    pub fn internal_organization(&self) -> &OrganizationId {
        self.components().listeners.own()
    }

    /// The organization that receives operational messages about all others.
    pub fn operator(&self) -> Option<&OrganizationId> {
        self.components().settings.operator.as_ref()
    }

    /// Has to be called after the application or one of its endpoints was changed in the store.
    /// When it returns, submissions and deliveries follow the change.
    pub async fn changed(&self, application: ApplicationId) -> Result<(), StoreError> {
        self.components().changes.apply(application).await
    }

    /// A number that changes whenever API keys were changed or tokens were expired, by this node or
    /// by another one. What was read before is out of date then.
    pub fn access_generation(&self) -> u64 {
        self.components().access_changes.load(Ordering::Acquire)
    }

    /// Has to be called after API keys were changed or tokens were expired in the store.
    pub fn access_changed(&self) {
        self.components().access_changes.fetch_add(1, Ordering::AcqRel);
    }

    /// A number that changes whenever event types or the settings of the organization were changed,
    /// by this node or by another one. What was read before is out of date then.
    pub fn catalog_generation(&self, organization: &OrganizationId) -> u64 {
        self.components().changes.catalog.of(organization)
    }

    /// Has to be called after an event type of the organization was changed in the store.
    pub fn event_types_changed(&self, organization: &OrganizationId) {
        self.components().changes.catalog.note(organization_digest(organization));
    }

    /// Drops the waiting deliveries of a message whose body was expunged or whose deliveries
    /// were cancelled. Calls in flight end normally.
    pub async fn forget(&self, application: ApplicationId, message: MessageId) {
        self.components().router.forget(application, message, None).await;
    }

    /// Claims due deliveries without delay. Call it after a resend or a recovery, or when an
    /// endpoint was enabled.
    pub fn wake(&self, application: ApplicationId) {
        self.components().router.wake(application);
        self.inner.maintenance.notify_one();
    }

    /// How long everything but payloads and statistics is kept.
    pub fn retention(&self) -> Retention {
        self.components().settings.retention
    }

    /// How long statistics are kept.
    pub fn statistics_retention(&self) -> StatisticsRetention {
        self.components().settings.statistics_retention
    }

    /// The states of this node's lanes for the endpoints of an application, or of all.
    pub async fn lane_states(&self, of: Option<ApplicationId>) -> Vec<LaneState> {
        self.components().router.lane_states(of).await
    }

    /// Whether a receiver of alerts is configured.
    pub fn has_alert_receiver(&self) -> bool {
        self.components().settings.alerts.as_ref().is_some_and(|it| it.has_receiver)
    }

    /// The alerts that are firing, the oldest first; none if the settings have no alerts. While the
    /// store fails, it returns those that this node keeps itself.
    pub async fn firing_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        alerts::firing(self.components()).await
    }

    /// The task that watches for alerts, and sends them if there is a sender; `None` if the settings
    /// have no alerts.
    pub fn alert_task(&self, sender: Option<AlertSender>) -> Option<AlertTask> {
        AlertTask::new(self.components(), sender)
    }

    /// Has to be called after a source rejected a request. Many of them cause an alert.
    pub fn note_rejection(&self, source: SourceId) {
        let Components { alerts, clock, .. } = self.components();
        alerts.note_rejection(source, clock.now());
    }

    /// Looks for new and cancelled background tasks without delay.
    pub fn wake_background_tasks(&self) {
        self.inner.background.notify_one();
    }

    /// The deliveries that a resend would send again: their number, as far as they are counted, and
    /// some of them.
    pub async fn preview(
        &self,
        organization: &OrganizationId,
        resend: &Resend,
    ) -> Result<Preview, StoreError> {
        background::preview(&**self.store(), organization, resend).await
    }

    fn components(&self) -> &Components {
        &self.inner.components
    }
}

/// The report of a sender, also if it panics.
async fn caught(sending: impl Future<Output = Report>) -> Report {
    let sent = AssertUnwindSafe(sending).catch_unwind().await;
    sent.unwrap_or_else(|panic| Report::panicked(&panic_text(&*panic)))
}

/// What is reported instead of a trial of a polling endpoint.
const POLLED: &str = "nothing was sent: clients poll the messages of this endpoint";

fn is_polled(target: &Target) -> bool {
    target.destination.kind() == EndpointKind::Polling
}
