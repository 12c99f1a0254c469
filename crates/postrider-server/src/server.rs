//! The router: leads a request to its operation, and its answer back.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams, Request},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodFilter, get, on},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use postrider_core::time::Timestamp;
use postrider_engine::Engine;
use postrider_store::IdOrUid;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::{
    api::{
        docs_page,
        error::ApiError,
        openapi::openapi,
        operation::{Keys, Operation, Shared},
        reply::Answer,
    },
    auth::{self, Access, Caller},
    context::Context,
    http::{
        Activity,
        memory::{MemoryBudget, PUBLIC_CALLER},
        upload::{self, BodyLimits},
    },
    idempotency::{self, Key},
    inbound,
    metrics::{Exposition, Metrics, OperationMetrics},
    operations,
    operations::call::Call,
    relay::{self, Relay},
    settings::Settings,
};

/// The HTTP API.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Everything that the server answers.
    pub fn router(engine: Engine, settings: Settings) -> Router {
        let mut registry = Registry::default();
        engine.metrics().register(&mut registry);
        let metrics = Metrics::register(&mut registry);
        let context = Context::new(engine, settings, metrics);
        let relay = Relay::new(&context);
        let router = pages(&context, Arc::new(Exposition::new(registry)));
        let router = operations::all()
            .into_iter()
            .fold(router, |router, operation| mount(router, &context, Arc::new(operation)));
        router
            .merge(inbound::router(&context, &relay))
            .merge(relay::router(&relay))
            .fallback(async || ApiError::NotFound("page").into_answer().into_response())
            .method_not_allowed_fallback(async || {
                ApiError::MethodNotAllowed.into_answer().into_response()
            })
    }
}

/// What people and Prometheus read, as far as the operator wants it to be read.
fn pages(context: &Context, exposition: Arc<Exposition>) -> Router {
    let mut router = Router::new();
    if context.settings.docs {
        router = router.merge(docs_pages());
    }
    if context.settings.metrics {
        let memory = context.memory.clone();
        router = router.route(
            "/metrics",
            get(async move |headers: HeaderMap| metrics(&exposition, &headers, &memory)),
        );
    }
    router
}

/// Most servers are never asked for the document, so it is made when they are.
fn docs_pages() -> Router {
    let document: Arc<LazyLock<Bytes>> = Arc::new(LazyLock::new(|| openapi().into()));
    let page: Arc<LazyLock<Bytes>> = Arc::new(LazyLock::new(|| docs_page::page(&openapi()).into()));
    Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route("/docs", get(async move || docs_page(Bytes::clone(&page))))
        .route(
            "/api/v1/openapi.json",
            get(async move || typed("application/json", Bytes::clone(&document))),
        )
}

/// The page may load nothing and run nothing.
fn docs_page(page: Bytes) -> Response {
    let mut response = typed("text/html; charset=utf-8", page);
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

fn typed(kind: &'static str, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
}

fn metrics(exposition: &Exposition, headers: &HeaderMap, memory: &MemoryBudget) -> Response {
    let rendered = exposition.render(headers);
    let rendered = rendered.map_err(|error| ApiError::Internal(error.into()));
    let reserved = rendered.and_then(|(media_type, text)| {
        let reserved = memory.reserve(PUBLIC_CALLER, text.len())?;
        Ok((media_type, reserved.bind(text.into())))
    });
    match reserved {
        Ok((media_type, text)) => typed(media_type, text),
        Err(error) => error.into_answer().into_response(),
    }
}

/// Adds the operation under its path, with and without a slash at the end.
fn mount(router: Router, context: &Arc<Context>, operation: Shared) -> Router {
    let filter = MethodFilter::try_from(operation.method.clone())
        .expect("operations have methods that axum knows");
    let metrics = Arc::new(context.metrics.operation(operation.id));
    let slashed = format!("{}/", operation.path);
    let path = operation.path;
    let context = Arc::clone(context);
    let handler = async move |request: Request| {
        respond(Shared::clone(&operation), Arc::clone(&context), &metrics, request).await
    };
    router.route(path, on(filter, handler.clone())).route(&slashed, on(filter, handler))
}

/// Answers the request whatever happens, and takes note of it.
async fn respond(
    operation: Shared,
    context: Arc<Context>,
    metrics: &OperationMetrics,
    request: Request,
) -> Response {
    let began = Instant::now();
    let id = operation.id;
    let handled = handle(operation, Arc::clone(&context), request);
    let answer = match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => context.answer(error),
        Err(_) => context.answer(ApiError::Internal("a handler panicked".into())),
    };
    let took = began.elapsed();
    metrics.record(answer.status, took);
    tracing::debug!(
        operation = id,
        status = answer.status.as_u16(),
        duration_ms = took.as_secs_f64() * 1_000.0,
        "request was answered"
    );
    answer.into_response()
}

/// Lets in, reads, and runs.
async fn handle(
    operation: Shared,
    context: Arc<Context>,
    request: Request,
) -> Result<Answer, ApiError> {
    let (mut parts, body) = request.into_parts();
    let now = context.engine.clock().now();
    let caller = admit(&operation, &context, &parts, now).await?;
    if operation.access != Access::Anyone
        && let Some(connection) = parts.extensions.get::<Arc<Activity>>()
    {
        connection.authenticate();
    }
    let holder = caller.holder;
    let (body, memory) = if operation.method.is_safe() {
        (Bytes::new(), None)
    } else {
        let limits = &context.settings.limits;
        let mut reserved = context.memory.reserve_request(holder, &parts.headers)?;
        let bounds = BodyLimits::for_request(limits, operation.body_limit(limits));
        (upload::read(body, bounds, &mut reserved).await?, Some(reserved))
    };
    let path = path(&mut parts).await?;
    let idempotency = match operation.keys {
        Keys::Ignored => None,
        Keys::Answer | Keys::Handler => {
            Key::of(&parts.headers, &caller.grant, parts.uri.path(), &body)?
        },
    };
    let (pool, is_change) = (context.memory.clone(), !operation.method.is_safe());
    let call = Call { context, caller, now, idempotency, path, _memory: memory };
    let answer = if operation.is_change() {
        to_the_end(operation, call, parts, body).await?
    } else {
        operation.run(call, parts.uri.query(), body).await?
    };
    pool.hold_response(holder, answer, is_change)
}

async fn admit(
    operation: &Operation,
    context: &Context,
    parts: &Parts,
    now: Timestamp,
) -> Result<Arc<Caller>, ApiError> {
    if operation.access == Access::Anyone {
        return Ok(Arc::clone(&context.nobody));
    }
    let caller = context.doorkeeper.admit(&parts.headers, now)?;
    if let Some(application) = &caller.grant.application {
        let named = IdOrUid::Id(application.id);
        let entry = context.engine.directory().find(&caller.grant.organization, &named).await?;
        let entry = entry.ok_or_else(|| auth::refused("the token's application is gone"))?;
        if entry.application.ended_tokens.iter().any(|it| it.digest == caller.token) {
            return Err(auth::refused("the token was logged out"));
        }
        context.accounts.request(application.id, now)?;
    }
    operation.access.check(&caller)?;
    Ok(caller)
}

async fn path(parts: &mut Parts) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|error| ApiError::invalid(&["path"], error.to_string()))
}

/// Runs a change in a task of its own, so that it is not cut off where it stands when its
/// caller hangs up.
async fn to_the_end(
    operation: Shared,
    call: Call,
    parts: Parts,
    body: Bytes,
) -> Result<Answer, ApiError> {
    let context = Arc::clone(&call.context);
    let task = context.tasks.clone().spawn(async move {
        let key = call.idempotency;
        let run = async {
            match operation.run(call, parts.uri.query(), body).await {
                Ok(answer) => answer,
                Err(error) => context.answer(error),
            }
        };
        match key {
            Some(key) if operation.keys == Keys::Answer => {
                idempotency::once(&context, key, run).await
            },
            _ => Ok(run.await),
        }
    });
    task.await.map_err(|error| ApiError::Internal(error.into()))?
}
