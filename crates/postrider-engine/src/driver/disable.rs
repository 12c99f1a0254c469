//! Disables endpoints that keep failing or asked for it.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use postrider::{ApplicationId, EndpointId};
use postrider_core::{
    alert,
    catalog::{DisableReason, DisabledBy, Disablement, Endpoint},
    dispatch::Input,
    time::Timestamp,
};
use postrider_store::{Expected, IdOrUid, Records, Store, StoreError};
use tokio::task::JoinSet;

use super::lanes::Dispatcher;
use crate::{
    alerts::AlertInbox,
    changes::Changes,
    clock::Clock,
    components::Components,
    metrics::{Metrics, ReasonLabels},
    operational::{NoticeContext, OperationalListeners, OperationalMessages},
    store_errors::StoreErrors,
};

/// How often a save is repeated because another writer was faster.
const MAX_RACES: usize = 5;

/// Disables endpoints, each in its own task.
#[derive(Debug)]
pub(super) struct Disabler {
    disable: Arc<Disable>,
    tasks: JoinSet<Disabled>,
}

/// The result of disabling an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disabled {
    endpoint: EndpointId,
    /// Another node has delivered to the endpoint, so it was not failing all the time.
    is_refuted: bool,
}

impl Disabler {
    pub(super) fn new(components: &Components) -> Self {
        let disable = Disable {
            store: Arc::clone(&components.store),
            clock: Arc::clone(&components.clock),
            changes: components.changes.clone(),
            operational: Arc::clone(&components.operational),
            listeners: Arc::clone(&components.listeners),
            metrics: Arc::clone(&components.metrics),
            alerts: Arc::clone(&components.alerts),
            errors: Arc::clone(&components.errors),
        };
        Self { disable: Arc::new(disable), tasks: JoinSet::new() }
    }

    pub(super) fn start(&mut self, context: NoticeContext) {
        let disable = Arc::clone(&self.disable);
        self.tasks.spawn(async move {
            let endpoint = context.route.endpoint.id;
            // After an error or a panic the endpoint's next failure tries again.
            let is_refuted = match AssertUnwindSafe(disable.run(&context)).catch_unwind().await {
                Ok(Ok(is_disabled)) => !is_disabled,
                Ok(Err(error)) => {
                    disable.errors.report("disable endpoint", &error);
                    false
                },
                Err(_) => {
                    tracing::error!("internal error: disabling an endpoint panicked");
                    false
                },
            };
            Disabled { endpoint, is_refuted }
        });
    }

    pub(super) fn poll(&mut self, ctx: &mut Context<'_>) -> Poll<Disabled> {
        match self.tasks.poll_join_next(ctx) {
            Poll::Ready(Some(disabled)) => Poll::Ready(disabled.expect("its panic is caught")),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    pub(super) fn finish(disabled: Disabled, dispatcher: &mut Dispatcher, now: Timestamp) {
        let Disabled { endpoint, is_refuted } = disabled;
        dispatcher.handle(Input::DisableEnded { endpoint, is_refuted }, now);
    }
}

#[derive(Debug)]
struct Disable {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    changes: Changes,
    operational: Arc<OperationalMessages>,
    listeners: Arc<OperationalListeners>,
    metrics: Arc<Metrics>,
    alerts: Arc<AlertInbox>,
    errors: Arc<StoreErrors>,
}

impl Disable {
    /// Disables the endpoint and notifies the operator. The store pauses its pending deliveries.
    /// `false` if the endpoint was not failing all the time, or if its organization wants to keep
    /// failing endpoints.
    async fn run(&self, context: &NoticeContext) -> Result<bool, StoreError> {
        let (id, application) = (context.route.endpoint.id, context.route.endpoint.application);
        let mut label = "gone";
        let mut reason = DisableReason::Gone;
        if !context.attempt.outcome.gone() {
            let failing = self.store.failing(application).await?;
            let found = failing.iter().find(|(endpoint, _)| *endpoint == id);
            let Some(&(_, since)) = found else { return Ok(false) };
            if !self.disables(context).await? {
                return Ok(false);
            }
            reason = DisableReason::Failing { since };
            label = "failing";
        }
        self.save_as_disabled(application, id, reason).await?;
        self.metrics.endpoints_disabled.get_or_create(&ReasonLabels { reason: label }).inc();
        let address = &context.route.endpoint.url;
        self.alerts.report(alert::disabled((application, id), address, reason));
        self.changes.apply(application).await?;
        let messages = self.operational.write(std::slice::from_ref(context)).await;
        if !messages.is_empty() {
            self.store.append(messages).await?;
            self.changes.router.wake(application);
        }
        Ok(true)
    }

    /// Whether failing endpoints of the organization are disabled.
    async fn disables(&self, context: &NoticeContext) -> Result<bool, StoreError> {
        let application = context.route.endpoint.application;
        let Some(entry) = self.changes.directory.entry(application).await? else {
            return Ok(true);
        };
        let organization = &entry.application.organization;
        Ok(self.listeners.settings(organization).await?.disable_endpoint_on_failure)
    }

    /// Keeps what a user or another node changes at the same moment.
    async fn save_as_disabled(
        &self,
        application: ApplicationId,
        id: EndpointId,
        reason: DisableReason,
    ) -> Result<(), StoreError> {
        let mut races = 0;
        loop {
            let key = IdOrUid::Id(id);
            let found = self.store.get_versioned::<Endpoint>(&application, &key).await?;
            let Some((mut endpoint, version)) = found else { return Ok(()) };
            let at = self.clock.now();
            if !endpoint.disabled {
                endpoint.disablement = Some(Disablement { reason, by: DisabledBy::Server, at });
            }
            endpoint.disabled = true;
            endpoint.updated_at = at;
            match self.store.save(&endpoint, Expected::Version(version)).await {
                Err(StoreError::VersionMismatch { .. }) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        tracing::warn!(endpoint.id = %id, "endpoint disabled: it keeps failing");
        Ok(())
    }
}
