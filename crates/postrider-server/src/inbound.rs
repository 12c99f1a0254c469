//! Receives: what providers post to the URLs of sources.
//!
//! The order of work: the source by its token, the raw bytes under its limit, handshake or
//! verification, then what is verified becomes durable once, then the answer. Whatever is our
//! own fault is answered with 503, so that the provider tries again.

mod apart;
mod arrival;
mod event;
mod forward;
mod intake;
mod keys;
mod plain;
mod rejections;
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
    provider::{self, Received, Rejected, Reply},
};
use postrider_core::message::Rejection;
use postrider_engine::OpenSource;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use self::{arrival::Arrival, event::Kept, verify::Denied};
pub(crate) use self::{arrival::chosen, intake::Intake};
use crate::{
    api::error::ApiError,
    context::Context,
    http::upload::{self, BodyLimits},
    metrics::{InboundLabels, InboundResult},
    relay::{self, Relay},
};

/// Methods that some provider uses: `POST` and `PUT` to deliver, all of them to ask.
const METHODS: [Method; 5] =
    [Method::POST, Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT];

/// Names the message that a request repeats.
const DUPLICATE_OF: HeaderName = HeaderName::from_static("postrider-duplicate-of");

/// Longest token that is looked for.
const MAX_TOKEN: usize = 128;

/// The URLs of sources: `/in/{token}`.
///
/// A program that listens at somebody's desk is reached here too; its tokens are others.
pub(crate) fn router(context: &Arc<Context>, relay: &Arc<Relay>) -> Router {
    let (context, relay) = (Arc::clone(context), Arc::clone(relay));
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

/// What became of a request, and what is answered.
#[derive(Debug)]
struct Treated {
    result: InboundResult,
    response: Response,
}

impl Treated {
    fn new(result: InboundResult, reply: Reply) -> Self {
        Self { result, response: response(reply) }
    }
}

/// Answers the request whatever happens, and takes note of it.
async fn respond(context: &Arc<Context>, token: &str, request: Request) -> Response {
    let began = Instant::now();
    let source = match find(context, token).await {
        Ok(source) => source,
        Err(error) => return end(context, "", began, refused(context, error)),
    };
    let provider = source.provider.id.clone();
    let handled = handle(context, source, request);
    let treated = match AssertUnwindSafe(handled).catch_unwind().await {
        Ok(Ok(treated)) => treated,
        Ok(Err(error)) => refused(context, error),
        Err(_) => refused(context, ApiError::Internal("a handler panicked".into())),
    };
    end(context, &provider, began, treated)
}

fn end(context: &Context, provider: &str, began: Instant, treated: Treated) -> Response {
    let Treated { result, response } = treated;
    let labels = InboundLabels { provider: provider.to_owned(), result };
    context.metrics.inbound.requests.get_or_create_owned(&labels).inc();
    let took = began.elapsed();
    context.metrics.inbound.duration.observe(took.as_secs_f64());
    tracing::debug!(
        source.provider = provider,
        ?result,
        status = response.status().as_u16(),
        duration_ms = took.as_secs_f64() * 1_000.0,
        "inbound request was answered"
    );
    response
}

/// The source that has the token, if it takes anything.
async fn find(context: &Context, token: &str) -> Result<Arc<OpenSource>, ApiError> {
    let is_token = !token.is_empty()
        && token.len() <= MAX_TOKEN
        && token.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    if !is_token {
        return Err(ApiError::NotFound("source"));
    }
    let digest: [u8; 32] = Sha256::digest(token).into();
    let found = context.engine.directory().source(digest).await?;
    found.filter(|it| !it.source.disabled).ok_or(ApiError::NotFound("source"))
}

/// Reads the request, then treats it to the end, although its caller may hang up.
async fn handle(
    context: &Arc<Context>,
    source: Arc<OpenSource>,
    request: Request,
) -> Result<Treated, ApiError> {
    let (parts, body) = request.into_parts();
    if !METHODS.contains(&parts.method) {
        return Ok(not_allowed());
    }
    let reserved = context.memory.reserve_request(source.source.id.as_u128(), &parts.headers)?;
    let mut arrival = Arrival::new(context, source, parts, reserved);
    let counted = arrival.count_hop(&context.intake.hops).map_err(ApiError::Loop);
    let read = match counted {
        Ok(()) => read(context, &mut arrival, body).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(body) => arrival.body = body,
        Err(error) => {
            let status = error.status().as_u16();
            context
                .intake
                .rejections
                .add(context, arrival.rejection(context, status, error.to_string()));
            return Err(error);
        },
    }
    let task = context.tasks.spawn(treat(Arc::clone(context), arrival));
    task.await.map_err(|error| ApiError::Internal(error.into()))?
}

async fn read(context: &Context, arrival: &mut Arrival, body: Body) -> Result<Bytes, ApiError> {
    if arrival.method.is_safe() {
        return Ok(Bytes::new());
    }
    let limits = &context.settings.limits;
    let bounds = BodyLimits::for_webhook(limits, arrival.limit(limits));
    upload::read(body, bounds, &mut arrival.reserved).await
}

/// Everything after the last byte of the body.
async fn treat(context: Arc<Context>, arrival: Arrival) -> Result<Treated, ApiError> {
    let arrival = Arc::new(arrival);
    let settings = arrival.source.settings(arrival.at);
    match verify::receive(&context, &arrival, &settings).await {
        Ok(Received::Event(verified)) => {
            let kept = event::keep(&context, &arrival, verified).await?;
            let reply = context.intake.apart.run(&arrival, &settings, acknowledge).await?;
            Ok(match kept {
                Kept::New => Treated::new(InboundResult::Accepted, reply),
                Kept::Before(message) => repeated(&context, &arrival, reply, message),
            })
        },
        Ok(
            Received::Handshake(reply)
            | Received::Secret { reply, .. }
            | Received::Confirm { reply, .. },
        ) => Ok(Treated::new(InboundResult::Handshake, reply)),
        Err(Denied::Rejected(Rejected::Method)) => Ok(not_allowed()),
        Err(Denied::Rejected(rejected)) => Ok(reject(&context, &arrival, &rejected)),
        Err(Denied::Unreachable(reason)) => {
            let error = ApiError::Unavailable("what verifying takes cannot be reached", None);
            let rejection = arrival.rejection(&context, error.status().as_u16(), reason);
            context.intake.rejections.add(&context, rejection);
            Err(error)
        },
        Err(Denied::Ours(error)) => Err(error),
    }
}

/// The answer to an event.
fn acknowledge(
    arrival: &Arrival,
    settings: &provider::Settings,
    request: &provider::Request<'_>,
) -> Reply {
    let now = arrival.at.as_seconds();
    arrival.source.source.response.as_ref().map_or_else(
        || provider::acknowledge(&arrival.source.provider, settings, request, now),
        |it| provider::fill(chosen(it), settings, request),
    )
}

/// Answers a repetition like the first one, and leaves a trace of it: should it be another event
/// after all, its owner can find it.
fn repeated(
    context: &Arc<Context>,
    arrival: &Arrival,
    reply: Reply,
    message: MessageId,
) -> Treated {
    let rejection = Rejection {
        duplicate_of: Some(message),
        ..arrival.rejection(context, reply.status, format!("repeats {message}"))
    };
    context.intake.rejections.add(context, rejection);
    let mut treated = Treated::new(InboundResult::Duplicate, reply);
    let value = HeaderValue::try_from(message.to_string());
    let value = value.expect("an id is letters, digits and an underscore");
    treated.response.headers_mut().insert(DUPLICATE_OF, value);
    treated
}

/// Turns the request away. Why is for the source's owner; outside there is one answer.
fn reject(context: &Arc<Context>, arrival: &Arrival, rejected: &Rejected) -> Treated {
    let reply = provider::refuse(&arrival.source.provider);
    tracing::debug!(source.id = %arrival.source.source.id, reason = %rejected, "request was rejected");
    let rejection = arrival.rejection(context, reply.status, rejected.to_string());
    context.intake.rejections.add(context, rejection);
    Treated::new(InboundResult::Rejected, reply)
}

fn not_allowed() -> Treated {
    let mut response = ApiError::MethodNotAllowed.into_answer().into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, PUT"));
    Treated { result: InboundResult::Refused, response }
}

/// The answer to what is not as it should be: the caller's faults as they are, and ours as
/// something that passes.
fn refused(context: &Context, error: ApiError) -> Treated {
    let is_theirs = matches!(
        error,
        ApiError::NotFound(_)
            | ApiError::MethodNotAllowed
            | ApiError::Loop(_)
            | ApiError::TooLarge { .. }
            | ApiError::TooSlow { .. }
            | ApiError::Bad { .. }
    );
    let answer = context.answer(error);
    if is_theirs {
        return Treated { result: InboundResult::Refused, response: answer.into_response() };
    }
    let unavailable = ApiError::Unavailable("the server cannot take it now; try again", None);
    Treated {
        result: InboundResult::Unavailable,
        response: unavailable.into_answer().into_response(),
    }
}

/// A reply as it is sent; headers that cannot stand in a response are left out.
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
