//! Receives the webhooks that providers send to the URLs of sources.
//!
//! The steps: find the source by its token, read the raw body under the source's limit, complete a
//! handshake or verify the request, make the verified event durable once, respond. The provider
//! gets 2xx only after the commit, because it does not send an event again that was acknowledged.
//! Every failure of ours becomes 503, so that the provider retries.

mod context;
mod decompress;
mod event;
mod forwarded_headers;
mod key_cache;
mod recheck;
mod rejection_log;
mod request;
mod request_counts;
mod schema_check;
mod verify;

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use postrider::{
    MessageId,
    provider::{self, Received, Reply},
};
use postrider_core::{message::Rejection, statistics::RequestResult};
use postrider_engine::OpenSource;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::{
    context::Context,
    event::EventOutcome,
    request::{InboundRequest, RequestParts},
    verify::ReceiveError,
};
pub(crate) use self::{
    context::Dependencies,
    recheck::{Inbound, Recheck, is_whole},
    rejection_log::RejectionLog,
    request::configured_reply,
    request_counts::RequestCounts,
};
use crate::{
    api::error::ApiError,
    http::upload::{self, BodyLimits},
    metrics::InboundResult,
    relay::{self, Relay},
    traces::{RequestTrace, Route},
};

/// Methods that providers use: `POST` and `PUT` for events, all of them for handshakes.
const METHODS: [Method; 5] =
    [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT];

/// Header of a response to a duplicate: the message that it repeats.
const DUPLICATE_OF: HeaderName = HeaderName::from_static("postrider-duplicate-of");

/// Longest token that is looked up.
const MAX_TOKEN_LENGTH: usize = 128;

/// The URLs of sources: `/in/{token}`. Listeners have URLs with the same path, because the Svix CLI
/// shows them to its users; their tokens differ from those of sources.
pub(crate) fn router(inbound: &Inbound, relay: &Arc<Relay>) -> Router {
    let (context, relay) = (Arc::clone(&inbound.0), Arc::clone(relay));
    let handler = async move |path: RawPathParams, request: Request| {
        let token = token(&path);
        if relay::is_listener_token(token) {
            return relay::receive(&relay, request).await;
        }
        respond(&context, token, request).await
    };
    Router::new().route("/in/{token}", any(handler.clone())).route("/in/{token}/", any(handler))
}

fn token(path: &RawPathParams) -> &str {
    path.iter().find(|(name, _)| *name == "token").map_or("", |(_, token)| token)
}

/// The result of a request, for metrics, and the response to it.
#[derive(Debug)]
struct Handled {
    result: InboundResult,
    response: Response,
}

impl Handled {
    fn new(result: InboundResult, reply: Reply) -> Self {
        Self { result, response: response(reply) }
    }
}

/// Responds to the request, even if its handler panics, and counts it.
async fn respond(context: &Arc<Context>, token: &str, request: Request) -> Response {
    let started_at = Instant::now();
    let route = Route { path: "/in/{token}", is_secret: true, operation: None };
    let trace = RequestTrace::of_stranger(&context.engine, &context.settings, &request, route);
    let response = receive(context, token, (request, trace.as_ref()), started_at).await;
    if let Some(trace) = trace {
        trace.respond(response.status());
    }
    response
}

async fn receive(
    context: &Arc<Context>,
    token: &str,
    (request, trace): (Request, Option<&Arc<RequestTrace>>),
    started_at: Instant,
) -> Response {
    let source = match find_source(context, token).await {
        Ok(source) => source,
        Err(error) => return finish(context, "", started_at, refuse(context, error)),
    };
    let provider = source.provider.id.clone();
    if let Some(trace) = trace {
        trace.note("postrider.source.id", source.source.id.to_string());
        trace.note("postrider.provider", provider.clone());
    }
    let handled = handle(context, source, request, trace.cloned());
    let result = AssertUnwindSafe(handled).catch_unwind().await;
    let handled = match result {
        Ok(Ok(handled)) => handled,
        Ok(Err(error)) => refuse(context, error),
        Err(_) => refuse(context, ApiError::Internal("a handler panicked".into())),
    };
    finish(context, &provider, started_at, handled)
}

fn finish(context: &Context, provider: &str, started_at: Instant, handled: Handled) -> Response {
    let Handled { result, response } = handled;
    context.metrics.count(provider, result);
    let duration = started_at.elapsed();
    context.metrics.duration.observe(duration.as_secs_f64());
    tracing::debug!(
        source.provider = provider,
        ?result,
        status = response.status().as_u16(),
        duration_ms = duration.as_secs_f64() * 1_000.0,
        "inbound request completed"
    );
    response
}

/// The source with this token, unless it is disabled.
async fn find_source(context: &Context, token: &str) -> Result<Arc<OpenSource>, ApiError> {
    let is_token = !token.is_empty()
        && token.len() <= MAX_TOKEN_LENGTH
        && token.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    if !is_token {
        return Err(ApiError::NotFound("source"));
    }
    // Sources are found by the digest, so that a look-up reveals nothing of a token by its time.
    let digest: [u8; 32] = Sha256::digest(token).into();
    let found = context.engine.directory().source(digest).await?;
    found.filter(|it| !it.source.disabled).ok_or(ApiError::NotFound("source"))
}

/// Reads the request, then processes it in another task: a provider that hangs up does not
/// cancel the commit half-way, and its retry finds the event as a duplicate.
async fn handle(
    context: &Arc<Context>,
    source: Arc<OpenSource>,
    request: Request,
    trace: Option<Arc<RequestTrace>>,
) -> Result<Handled, ApiError> {
    let (parts, body) = request.into_parts();
    if !METHODS.contains(&parts.method) {
        return Ok(not_allowed());
    }
    let reserved = context.memory.reserve_request(source.source.id.as_u128(), &parts.headers)?;
    let parts = RequestParts::from(parts);
    let mut inbound = InboundRequest::new(context, source, parts, reserved);
    inbound.trace = trace;
    let counted = inbound.count_hop(&context.hops).map_err(ApiError::Loop);
    let read = match counted {
        Ok(()) => read(context, &mut inbound, body).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(body) => inbound.body = body,
        Err(error) => {
            let status = error.status().as_u16();
            let rejection = inbound.rejection(context, status, error.to_string());
            context.rejections.add(rejection);
            count(context, &inbound, RequestResult::Rejected);
            return Err(error);
        },
    }
    let task = context.tasks.spawn(process(Arc::clone(context), inbound));
    task.await.map_err(|error| ApiError::Internal(error.into()))?
}

async fn read(
    context: &Context,
    request: &mut InboundRequest,
    body: Body,
) -> Result<Bytes, ApiError> {
    if request.method.is_safe() {
        return Ok(Bytes::new());
    }
    let limits = &context.settings.limits;
    let bounds = BodyLimits::for_webhook(limits, request.limit(limits));
    upload::read(body, bounds, &mut request.reserved).await
}

/// Everything after the last byte of the body.
async fn process(context: Arc<Context>, request: InboundRequest) -> Result<Handled, ApiError> {
    let request = Arc::new(request);
    let mut settings = request.source.settings(request.at);
    match verify::receive(&context, &request, &mut settings).await {
        Ok(Received::Event(verified)) => {
            let outcome = event::accept(&context, &request, verified).await?;
            count(&context, &request, result_of(outcome));
            if let (Some(trace), EventOutcome::Accepted(id)) = (&request.trace, outcome) {
                trace.note_message(id);
            }
            // The event is durable from here on, so that a 2xx may follow.
            let offload = &context.offload;
            let reply = request.process(offload, &settings, acknowledge).await?;
            Ok(match outcome {
                EventOutcome::Accepted(_) => Handled::new(InboundResult::Accepted, reply),
                EventOutcome::Duplicate(message) => duplicate(&context, &request, reply, message),
            })
        },
        Ok(
            Received::Handshake(reply)
            | Received::Secret { reply, .. }
            | Received::Confirm { reply, .. },
        ) => Ok(Handled::new(InboundResult::Handshake, reply)),
        Err(ReceiveError::Rejected(provider::VerifyError::Method)) => Ok(not_allowed()),
        Err(ReceiveError::Rejected(rejected)) => Ok(reject(&context, &request, &rejected)),
        // 503 and not 401: the request may be genuine, and some providers disable a URL that
        // rejects their requests.
        Err(ReceiveError::Unreachable(reason)) => {
            let error = ApiError::Unavailable("a key for the verification cannot be fetched", None);
            let rejection = request.rejection(&context, error.status().as_u16(), reason);
            context.rejections.add(rejection);
            count(&context, &request, RequestResult::Rejected);
            Err(error)
        },
        Err(ReceiveError::Internal(error)) => Err(error),
    }
}

/// Counts the request for the statistics of its source.
fn count(context: &Context, request: &InboundRequest, result: RequestResult) {
    let source = &request.source.source;
    context.requests.add(source, request.at, result);
    if result == RequestResult::Rejected {
        context.engine.note_rejection(source.id);
    }
}

const fn result_of(outcome: EventOutcome) -> RequestResult {
    match outcome {
        EventOutcome::Accepted(_) => RequestResult::Accepted,
        EventOutcome::Duplicate(_) => RequestResult::Duplicate,
    }
}

/// The reply to an event: the configured one, or else what the provider expects.
fn acknowledge(
    request: &InboundRequest,
    settings: &provider::Settings,
    content: &provider::Request<'_>,
) -> Reply {
    let now = request.at.as_seconds();
    request.source.source.response.as_ref().map_or_else(
        || provider::acknowledge(&request.source.provider, settings, content, now),
        |it| provider::render_reply(configured_reply(it), settings, content),
    )
}

/// Responds to a duplicate as to the first request, and logs it: if it is another event after all,
/// the source's owner can find it.
fn duplicate(
    context: &Arc<Context>,
    request: &InboundRequest,
    reply: Reply,
    message: MessageId,
) -> Handled {
    let rejection = Rejection {
        duplicate_of: Some(message),
        ..request.rejection(context, reply.status, format!("repeats {message}"))
    };
    context.rejections.add(rejection);
    let mut handled = Handled::new(InboundResult::Duplicate, reply);
    let value = HeaderValue::try_from(message.to_string());
    let value = value.expect("an id is letters, digits and an underscore");
    handled.response.headers_mut().insert(DUPLICATE_OF, value);
    handled
}

/// Rejects the request. The log has the reason; the response is always the same, so that it does
/// not help to forge requests.
fn reject(
    context: &Arc<Context>,
    request: &InboundRequest,
    rejected: &provider::VerifyError,
) -> Handled {
    let reply = provider::reject(&request.source.provider);
    tracing::debug!(source.id = %request.source.source.id, reason = %rejected, "request was rejected");
    let rejection = request.rejection(context, reply.status, rejected.to_string());
    context.rejections.add(rejection);
    count(context, request, RequestResult::Rejected);
    Handled::new(InboundResult::Rejected, reply)
}

fn not_allowed() -> Handled {
    let mut response = ApiError::MethodNotAllowed.into_api_response().into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, PUT"));
    Handled { result: InboundResult::Refused, response }
}

/// The response to an error: the client's errors as they are, and ours as a temporary condition.
fn refuse(context: &Context, error: ApiError) -> Handled {
    let is_client_error = matches!(
        error,
        ApiError::NotFound(_)
            | ApiError::MethodNotAllowed
            | ApiError::Loop(_)
            | ApiError::TooLarge { .. }
            | ApiError::TooSlow { .. }
            | ApiError::Bad { .. }
    );
    let response = context.errors.response(error);
    if is_client_error {
        return Handled { result: InboundResult::Refused, response: response.into_response() };
    }
    let unavailable =
        ApiError::Unavailable("the server cannot process the webhook now; try again", None);
    Handled {
        result: InboundResult::Unavailable,
        response: unavailable.into_api_response().into_response(),
    }
}

/// The reply as a response, without headers that are not valid in HTTP.
fn response(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Bytes::from(reply.body)).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
