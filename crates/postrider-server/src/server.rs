//! The server: everything that it responds to, and the operations for programs that embed it.

mod pages;

use std::{error::Error, sync::Arc};

use axum::{Router, extract::Request};
use bytes::Bytes;
use postrider_core::queue::QueueKind;
use postrider_engine::{Engine, QueueConnector};
use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;

use crate::{
    api::{
        error::ApiError,
        error_report::ErrorReporter,
        route::{self, Api},
        unavailable,
    },
    auth::{Authenticator, Principal},
    consumer::{ConsumerHub, Consumers},
    feed::{self, Feeds},
    http::{
        cors,
        memory::{MemoryBudget, PUBLIC_CALLER},
        upload::{self, BodyLimits},
    },
    idempotency::IdempotentRequests,
    inbound::{self, Inbound, RejectionLog, RequestCounts},
    live::{self, Live},
    metrics::{Exposition, Metrics},
    operations::{self, call::Resources, event_type::index::EventTypeIndexes, handle::Operations},
    quota::QuotaTracker,
    relay::{self, Relay},
    schemas::{Reports, Schemas},
    settings::{Settings, SizeLimit},
    sso::{self, SingleSignOn},
    trials::Trials,
};

/// The server over an engine.
#[derive(Debug)]
pub struct Server {
    operations: Operations,
    metrics: Metrics,
    exposition: Arc<Exposition>,
    errors: Arc<ErrorReporter>,
    sso: Option<Arc<SingleSignOn>>,
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
        if let Some(tracer) = engine.tracer() {
            tracer.register(registry.sub_registry_with_prefix("postrider"));
        }
        let metrics = Metrics::register(&mut registry, &engine);
        let consumers = ConsumerHub::new(queues, metrics.consumers.clone());
        let errors = Arc::new(ErrorReporter::new(engine.clone()));
        let sso = SingleSignOn::of(&settings, &engine).map(Arc::new);
        let resources = resources(engine, settings, (&metrics, &errors), consumers);
        Self {
            operations: Operations::new(Arc::new(resources)),
            metrics,
            exposition: Arc::new(Exposition::new(registry)),
            errors,
            sso,
        }
    }

    /// Stores what is only counted in memory: requests to sources, and what was found in payloads.
    /// Has to be called when the server has ended, before the engine does.
    pub async fn flush(&self) {
        let resources = self.operations.resources();
        let stored = tokio::join!(resources.requests.flush(), resources.schemas.reports.flush());
        if let (Err(error), _) | (_, Err(error)) = stored {
            tracing::warn!(error = &error as &dyn Error, "some counts are lost");
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
            sso: self.sso.clone(),
            metrics: self.metrics.relay.clone(),
        });
        let live = Live::new(live::Dependencies {
            engine: resources.engine.clone(),
            settings: Arc::clone(&resources.settings),
            memory: resources.memory.clone(),
            errors: Arc::clone(&self.errors),
            metrics: self.metrics.live.clone(),
            tasks: resources.tasks.clone(),
        });
        let feeds = Feeds::new(feed::Dependencies {
            operations: self.operations.clone(),
            errors: Arc::clone(&self.errors),
            metrics: self.metrics.live.clone(),
            sso: self.sso.clone(),
        });
        let fallback = Arc::clone(resources);
        let router = pages::router(&resources.settings)
            .merge(self.api())
            .merge(inbound::router(&resources.inbound, &relay))
            .merge(relay::router(&relay))
            .merge(live::router(live))
            .merge(feed::router(feeds))
            .merge(self.sso.clone().map_or_else(Router::new, sso::router))
            .fallback(async move |request: Request| {
                missing(&fallback, request).await.into_api_response().into_response()
            })
            .method_not_allowed_fallback(async || {
                ApiError::MethodNotAllowed.into_api_response().into_response()
            });
        // Around the fallbacks, too: preflight requests have a method that no operation has.
        cors::allow(router, &resources.settings.cors_origins)
    }

    /// The routes of the listener for metrics.
    pub fn metrics_router(&self) -> Router {
        let memory = &self.operations.resources().memory;
        pages::metrics_router(memory, &self.exposition)
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
            sso: self.sso.clone(),
        });
        operations::all().into_iter().fold(Router::new(), |router, operation| {
            route::mount(router, &api, &self.metrics, operation)
        })
    }
}

/// Why there is nothing at the path of the request.
async fn missing(resources: &Resources, request: Request) -> ApiError {
    let Some(reason) = unavailable::reason(request.uri().path()) else {
        return ApiError::NotFound("page");
    };
    // Otherwise the connection would be closed, and many clients would not see the response.
    match read_body(resources, request).await {
        Ok(_) => ApiError::NotAvailable(reason),
        Err(error) => error,
    }
}

async fn read_body(resources: &Resources, request: Request) -> Result<Bytes, ApiError> {
    let limits = &resources.settings.limits;
    let limit = SizeLimit { bytes: limits.config_body, setting: "limits.config_body" };
    let mut reserved = resources.memory.reserve(PUBLIC_CALLER, 0)?;
    let bounds = BodyLimits::for_request(limits, limit);
    upload::read(request.into_body(), bounds, &mut reserved).await
}

fn resources(
    engine: Engine,
    settings: Settings,
    (metrics, errors): (&Metrics, &Arc<ErrorReporter>),
    consumers: ConsumerHub,
) -> Resources {
    let limits = &settings.limits;
    let tasks = TaskTracker::new();
    let dropped = metrics.inbound.dropped_rejections.clone();
    let authenticator = Arc::new(Authenticator::new(
        engine.clone(),
        &settings.jwt_secret,
        limits.remembered_tokens,
    ));
    let quotas =
        QuotaTracker::new(settings.quotas, limits.remembered_accounts, metrics.refusals.clone());
    let event_types = Arc::new(EventTypeIndexes::new(limits.remembered_event_types));
    let reports = Reports::new(Arc::clone(engine.store()), tasks.clone());
    let schemas = Arc::new(Schemas::new(metrics.schemas.clone(), reports));
    let memory = MemoryBudget::new(limits.request_memory);
    let settings = Arc::new(settings);
    let rejections = RejectionLog::new(Arc::clone(engine.store()), tasks.clone(), dropped);
    let requests = RequestCounts::new(Arc::clone(engine.store()), tasks.clone());
    let locks = Arc::default();
    let inbound = Inbound::new(inbound::Dependencies {
        engine: engine.clone(),
        settings: Arc::clone(&settings),
        metrics: metrics.inbound.clone(),
        memory: memory.clone(),
        locks: Arc::clone(&locks),
        errors: Arc::clone(errors),
        rejections: rejections.clone(),
        requests: requests.clone(),
        event_types: Arc::clone(&event_types),
        schemas: Arc::clone(&schemas),
        tasks: tasks.clone(),
    });
    Resources {
        authenticator,
        locks,
        quotas,
        event_types,
        schemas,
        rejections,
        requests,
        inbound,
        memory,
        consumers: Arc::new(consumers),
        trials: Trials::default(),
        tasks,
        settings,
        engine,
    }
}
