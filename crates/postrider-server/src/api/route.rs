//! Operations as HTTP routes.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams, Request},
    response::Response,
    routing::{MethodFilter, on},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use postrider::api::Permission;
use postrider_core::time::Timestamp;
use tokio::time::Instant;

use crate::{
    api::{
        access::Access,
        error::ApiError,
        error_report::ErrorReporter,
        operation::{AnyOperation, Idempotency, PathArguments, RawInput},
        response::ApiResponse,
    },
    auth::Principal,
    http::{
        Activity, Peer,
        client_address::client_address,
        upload::{self, BodyLimits},
    },
    idempotency::{IdempotencyKey, IdempotentRequests},
    metrics::{Metrics, OperationMetrics},
    operations::{
        audited::{AuditedStore, Origin},
        call::Call,
        handle::Operations,
    },
    settings::Settings,
    sso::{self, SingleSignOn},
    traces::{self, RequestTrace},
};

/// What the routes of all operations share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) operations: Operations,
    pub(crate) idempotency: IdempotentRequests,
    pub(crate) errors: Arc<ErrorReporter>,
    /// The principal of requests without a token.
    pub(crate) anonymous: Arc<Principal>,
    pub(crate) sso: Option<Arc<SingleSignOn>>,
}

/// Adds the route of an operation, with and without a slash at the end.
pub(crate) fn mount(
    router: Router,
    api: &Arc<Api>,
    metrics: &Metrics,
    operation: AnyOperation,
) -> Router {
    let filter = MethodFilter::try_from(operation.declaration.method.clone())
        .expect("operations have methods that axum knows");
    let path = operation.declaration.path;
    let route = Arc::new(Route {
        metrics: metrics.operation(operation.declaration.id),
        operation,
        api: Arc::clone(api),
    });
    let handler = async move |request: Request| respond(Arc::clone(&route), request).await;
    router.route(path, on(filter, handler.clone())).route(&format!("{path}/"), on(filter, handler))
}

/// The route of one operation.
struct Route {
    operation: AnyOperation,
    api: Arc<Api>,
    metrics: OperationMetrics,
}

/// Responds to a request, even if its handler panics, and measures it.
async fn respond(route: Arc<Route>, request: Request) -> Response {
    let began_at = Instant::now();
    let trace = trace(&route, &request);
    let handled = handle(Arc::clone(&route), request, trace.clone());
    let response = match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => route.api.errors.response(error),
        Err(_) => route.api.errors.response(ApiError::Internal("a handler panicked".into())),
    };
    let took = began_at.elapsed();
    route.metrics.record(response.status, took);
    if let Some(trace) = trace {
        trace.respond(response.status);
    }
    tracing::debug!(
        operation = route.operation.declaration.id,
        status = response.status.as_u16(),
        duration_ms = took.as_secs_f64() * 1_000.0,
        "request handled"
    );
    response.into_response()
}

/// The trace of a request. Those that anyone may make, such as checks of the health, have none.
fn trace(route: &Route, request: &Request) -> Option<Arc<RequestTrace>> {
    let declaration = &route.operation.declaration;
    if declaration.access == Access::Anyone {
        return None;
    }
    let resources = route.api.operations.resources();
    let place =
        traces::Route { path: declaration.path, is_secret: false, operation: Some(declaration.id) };
    RequestTrace::of_request(&resources.engine, &resources.settings, request, place)
}

/// Authenticates and authorizes a request, reads its body, and runs the operation.
///
/// The body is read last, so that clients without access cannot make the server hold one.
async fn handle(
    route: Arc<Route>,
    request: Request,
    trace: Option<Arc<RequestTrace>>,
) -> Result<ApiResponse, ApiError> {
    let (mut parts, body) = request.into_parts();
    let declaration = &route.operation.declaration;
    let resources = Arc::clone(route.api.operations.resources());
    let now = resources.engine.clock().now();
    let principal = admit(&route, &parts, now).await?;
    let (holder, is_change) = (principal.holder, !declaration.method.is_safe());
    let (body, memory) = if is_change {
        let limits = &resources.settings.limits;
        let mut reserved = resources.memory.reserve_request(holder, &parts.headers)?;
        let bounds = BodyLimits::for_request(limits, declaration.body_limit(limits));
        (upload::read(body, bounds, &mut reserved).await?, Some(reserved))
    } else {
        (Bytes::new(), None)
    };
    let path = path(&mut parts).await?;
    let idempotency = match declaration.idempotency {
        Idempotency::Unkeyed => None,
        Idempotency::StoredResponse | Idempotency::Transactional => {
            IdempotencyKey::of(&parts.headers, &principal.grant, parts.uri.path(), &body)?
        },
    };
    let memory_pool = resources.memory.clone();
    let origin = Origin {
        operation: declaration.id,
        address: (is_change || declaration.permission() == Permission::ReadSecrets)
            .then(|| address(&parts, &resources.settings))
            .flatten(),
    };
    let store = AuditedStore::new(&resources.engine, &principal, origin);
    let call = Call { resources, principal, store, now, idempotency, trace, _memory: memory };
    let response = if declaration.runs_to_completion() {
        complete(route, call, path, parts, body).await?
    } else {
        let path = PathArguments::Route(&path);
        (route.operation.start)(call, RawInput { path, query: parts.uri.query(), body })?.await?
    };
    memory_pool.hold_response(holder, response, is_change)
}

/// The principal of a request, if it may call the operation.
async fn admit(route: &Route, parts: &Parts, now: Timestamp) -> Result<Arc<Principal>, ApiError> {
    let declaration = &route.operation.declaration;
    if declaration.access == Access::Anyone {
        return Ok(Arc::clone(&route.api.anonymous));
    }
    let operations = &route.api.operations;
    let authenticator = &operations.resources().authenticator;
    let request = (&parts.method, &parts.uri, &parts.headers);
    let principal =
        sso::authenticate(route.api.sso.as_deref(), authenticator, request, now).await?;
    let principal = operations.check_access(declaration, &principal, now).await?;
    if let Some(connection) = parts.extensions.get::<Arc<Activity>>() {
        connection.authenticate();
    }
    Ok(principal)
}

/// The address of the client, for the audit log.
fn address(parts: &Parts, settings: &Settings) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>().copied();
    client_address(&settings.trusted_proxies, peer, &parts.headers)
}

async fn path(parts: &mut Parts) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|error| ApiError::invalid(&["path"], error.to_string()))
}

/// Runs a change in a task, so that it is not cancelled half-way when the client disconnects.
async fn complete(
    route: Arc<Route>,
    call: Call,
    path: RawPathParams,
    parts: Parts,
    body: Bytes,
) -> Result<ApiResponse, ApiError> {
    let tasks = call.resources.tasks.clone();
    let task = tasks.spawn(async move {
        let key = call.idempotency;
        let run = async {
            let path = PathArguments::Route(&path);
            let input = RawInput { path, query: parts.uri.query(), body };
            let run = async { (route.operation.start)(call, input)?.await };
            run.await.unwrap_or_else(|error| route.api.errors.response(error))
        };
        match key {
            Some(key) => route.api.idempotency.once(key, run).await,
            None => Ok(run.await),
        }
    });
    task.await.map_err(|error| ApiError::Internal(error.into()))?
}
