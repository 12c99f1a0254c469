//! The server: everything that it responds to, and the operations for programs that embed it.

mod pages;

use std::sync::Arc;

use axum::Router;
use postrider_core::queue::QueueKind;
use postrider_engine::{Engine, QueueConnector};
use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;

use crate::{
    api::{
        error::ApiError,
        error_report::ErrorReporter,
        route::{self, Api},
    },
    auth::{Authenticator, Principal},
    consumer::{ConsumerHub, Consumers},
    http::memory::MemoryBudget,
    idempotency::IdempotentRequests,
    inbound::{self, RejectionLog},
    live::{self, Live},
    metrics::{Exposition, Metrics},
    operations::{
        self, call::Resources, event_type::archived::ArchivedEventTypes, handle::Operations,
    },
    quota::QuotaTracker,
    relay::{self, Relay},
    settings::Settings,
    trials::Trials,
};

/// The server over an engine.
#[derive(Debug)]
pub struct Server {
    operations: Operations,
    metrics: Metrics,
    exposition: Arc<Exposition>,
    errors: Arc<ErrorReporter>,
}

impl Server {
    /// A server without consumers.
    pub fn new(engine: Engine, settings: Settings) -> Self {
        Self::with_queues(engine, settings, Vec::new())
    }

    /// A server with the clients of these queues, whose consumers can be created. They run with
    /// [`Self::consumers`].
    pub fn with_queues(
        engine: Engine,
        settings: Settings,
        queues: Vec<(QueueKind, Arc<dyn QueueConnector>)>,
    ) -> Self {
        let mut registry = Registry::default();
        engine.metrics().register(&mut registry);
        let metrics = Metrics::register(&mut registry);
        let consumers = ConsumerHub::new(queues, metrics.consumers.clone());
        let resources = Arc::new(resources(engine.clone(), settings, &metrics, consumers));
        Self {
            operations: Operations::new(resources),
            metrics,
            exposition: Arc::new(Exposition::new(registry)),
            errors: Arc::new(ErrorReporter::new(engine)),
        }
    }

    /// The operations, to be called in process.
    pub fn operations(&self) -> Operations {
        self.operations.clone()
    }

    /// The consumers, which have to be run.
    pub fn consumers(&self) -> Consumers {
        Consumers::new(self.operations.clone())
    }

    /// All routes of the server.
    pub fn router(&self) -> Router {
        let resources = self.operations.resources();
        let relay = Relay::new(relay::Dependencies {
            engine: resources.engine.clone(),
            settings: Arc::clone(&resources.settings),
            authenticator: Arc::clone(&resources.authenticator),
            memory: resources.memory.clone(),
            errors: Arc::clone(&self.errors),
        });
        let inbound = inbound::Dependencies {
            engine: resources.engine.clone(),
            settings: Arc::clone(&resources.settings),
            metrics: self.metrics.inbound.clone(),
            memory: resources.memory.clone(),
            locks: Arc::clone(&resources.locks),
            errors: Arc::clone(&self.errors),
            rejections: resources.rejections.clone(),
            tasks: resources.tasks.clone(),
        };
        let live = Live::new(live::Dependencies {
            engine: resources.engine.clone(),
            settings: Arc::clone(&resources.settings),
            memory: resources.memory.clone(),
            errors: Arc::clone(&self.errors),
            metrics: self.metrics.live.clone(),
            tasks: resources.tasks.clone(),
        });
        pages::router(&resources.settings, &resources.memory, &self.exposition)
            .merge(self.api())
            .merge(inbound::router(inbound, &relay))
            .merge(relay::router(&relay))
            .merge(live::router(live))
            .fallback(async || ApiError::NotFound("page").into_api_response().into_response())
            .method_not_allowed_fallback(async || {
                ApiError::MethodNotAllowed.into_api_response().into_response()
            })
    }

    /// The routes of all operations.
    fn api(&self) -> Router {
        let resources = self.operations.resources();
        let idempotency = IdempotentRequests::new(
            resources.engine.clone(),
            resources.settings.limits.idempotency_wait,
        );
        let api = Arc::new(Api {
            operations: self.operations.clone(),
            idempotency,
            errors: Arc::clone(&self.errors),
            anonymous: Principal::anonymous(),
        });
        operations::all().into_iter().fold(Router::new(), |router, operation| {
            route::mount(router, &api, &self.metrics, operation)
        })
    }
}

fn resources(
    engine: Engine,
    settings: Settings,
    metrics: &Metrics,
    consumers: ConsumerHub,
) -> Resources {
    let limits = &settings.limits;
    let tasks = TaskTracker::new();
    let dropped = metrics.inbound.dropped_rejections.clone();
    Resources {
        authenticator: Arc::new(Authenticator::new(
            engine.clone(),
            &settings.jwt_secret,
            limits.remembered_tokens,
        )),
        locks: Arc::default(),
        quotas: QuotaTracker::new(
            settings.quotas,
            limits.remembered_accounts,
            metrics.refusals.clone(),
        ),
        archived: ArchivedEventTypes::new(limits.remembered_event_types),
        rejections: RejectionLog::new(Arc::clone(engine.store()), tasks.clone(), dropped),
        memory: MemoryBudget::new(limits.request_memory),
        consumers: Arc::new(consumers),
        trials: Trials::default(),
        tasks,
        settings: Arc::new(settings),
        engine,
    }
}
