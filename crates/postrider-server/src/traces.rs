//! The traces of requests and of messages of queues: spans, and the context that messages keep.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Request, StatusCode, header, uri::Authority};
use postrider::MessageId;
use postrider_core::trace::{
    Attribute, Span, SpanKind, TraceContext, attempt::Place, request::ReceivedRequest,
};
use postrider_engine::{Engine, Tracer};
use tokio::time::Instant;

use crate::{
    http::client_address::{Peer, client_address},
    settings::Settings,
};

/// Most messages whose ids are in one span. A batch may have more.
const MAX_MESSAGES: usize = 20;

/// The trace of a request that is in progress.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    /// That of the span, or of the caller if no spans are recorded.
    context: TraceContext,
    span: Option<OpenSpan>,
}

/// A span that has begun.
#[derive(Debug)]
struct OpenSpan {
    engine: Engine,
    tracer: Tracer,
    kind: SpanKind,
    name: Cow<'static, str>,
    place: Place,
    /// What it is below, if that is another service's.
    parent: Option<TraceContext>,
    began_at: Duration,
    started_at: Instant,
    attributes: Mutex<Vec<(&'static str, Attribute)>>,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    /// As it is declared, with the names of its parameters.
    pub(crate) path: &'a str,
    /// The path has a secret, which no span shows.
    pub(crate) is_secret: bool,
    /// The operation of the API.
    pub(crate) operation: Option<&'static str>,
}

impl RequestTrace {
    /// The trace of a request to the API. Its caller has a token, so the trace continues the
    /// caller's. `None` if there is nothing to record and nothing to keep.
    pub(crate) fn of_request<B>(
        engine: &Engine,
        settings: &Settings,
        request: &Request<B>,
        route: Route<'_>,
    ) -> Option<Arc<Self>> {
        let parent = received(settings, request.headers());
        let Some(tracer) = engine.tracer() else {
            return parent.map(|context| Arc::new(Self { context, span: None }));
        };
        let ids = engine.clock().span_ids();
        let place = match &parent {
            Some(parent) => Place::child(parent, ids, tracer.sampler()),
            None => Place::root(None, ids, tracer.sampler()),
        };
        let span =
            OpenSpan { parent, ..OpenSpan::of(engine, tracer, settings, (request, route, place)) };
        Some(Self::begun(span))
    }

    /// The trace of a request by someone unknown: a new one, with a link to the caller's.
    pub(crate) fn of_stranger<B>(
        engine: &Engine,
        settings: &Settings,
        request: &Request<B>,
        route: Route<'_>,
    ) -> Option<Arc<Self>> {
        let tracer = engine.tracer()?;
        let origin = received(settings, request.headers());
        let place = Place::root(origin, engine.clock().span_ids(), tracer.sampler());
        Some(Self::begun(OpenSpan::of(engine, tracer, settings, (request, route, place))))
    }

    /// The trace of a queue's message, which continues that of the message. `attributes` describe
    /// the message.
    pub(crate) fn of_queue_message(
        engine: &Engine,
        settings: &Settings,
        parent: Option<TraceContext>,
        attributes: impl FnOnce() -> Vec<(&'static str, Attribute)>,
    ) -> Option<Arc<Self>> {
        let parent = parent.filter(|_| settings.propagates_traces);
        let Some(tracer) = engine.tracer() else {
            return parent.map(|context| Arc::new(Self { context, span: None }));
        };
        let ids = engine.clock().span_ids();
        let place = match &parent {
            Some(parent) => Place::child(parent, ids, tracer.sampler()),
            None => Place::root(None, ids, tracer.sampler()),
        };
        let attributes = if place.context.is_sampled() { attributes() } else { Vec::new() };
        Some(Self::begun(OpenSpan {
            engine: engine.clone(),
            tracer: tracer.clone(),
            kind: SpanKind::Consumer,
            name: "process".into(),
            place,
            parent,
            began_at: engine.clock().precise(),
            started_at: Instant::now(),
            attributes: Mutex::new(attributes),
        }))
    }

    fn begun(span: OpenSpan) -> Arc<Self> {
        Arc::new(Self { context: span.place.context.clone(), span: Some(span) })
    }

    /// The context for a message that the request publishes.
    pub(crate) fn context(&self) -> TraceContext {
        self.context.clone()
    }

    /// Adds an attribute.
    pub(crate) fn note(&self, name: &'static str, value: impl Into<Attribute>) {
        if let Some(span) = self.recorded() {
            span.attributes().push((name, value.into()));
        }
    }

    /// Adds a message that the request published.
    pub(crate) fn note_message(&self, id: MessageId) {
        const NAME: &str = "postrider.message.id";
        let Some(span) = self.recorded() else { return };
        let mut attributes = span.attributes();
        let known = attributes.iter_mut().find(|(name, _)| *name == NAME);
        match known {
            None => attributes.push((NAME, id.to_string().into())),
            Some((_, Attribute::Text(ids))) if ids.split(',').count() < MAX_MESSAGES => {
                *ids = format!("{ids},{id}").into();
            },
            Some(_) => {},
        }
    }

    /// Records the span of a request with this response. A caller whose token was not accepted does
    /// not decide which spans are recorded, nor where.
    pub(crate) fn respond(&self, status: StatusCode) {
        let Some(span) = &self.span else { return };
        let stranger = span.parent.as_ref().filter(|_| status == StatusCode::UNAUTHORIZED);
        let place = match stranger {
            Some(origin) => {
                let ids = span.engine.clock().span_ids();
                Place::root(Some(origin.clone()), ids, span.tracer.sampler())
            },
            None => span.place.clone(),
        };
        let error = status.is_server_error().then(|| status.as_str().to_owned());
        span.record(place, Some(("http.response.status_code", status.as_u16().into())), error);
    }

    /// Records the span of a message, with the reason why it was not published.
    pub(crate) fn end(&self, error: Option<String>) {
        if let Some(span) = &self.span {
            span.record(span.place.clone(), None, error);
        }
    }

    fn recorded(&self) -> Option<&OpenSpan> {
        self.span.as_ref().filter(|span| span.place.context.is_sampled())
    }
}

impl OpenSpan {
    /// The span of a request.
    fn of<B>(
        engine: &Engine,
        tracer: &Tracer,
        settings: &Settings,
        (request, route, place): (&Request<B>, Route<'_>, Place),
    ) -> Self {
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let described = ReceivedRequest {
            method: request.method(),
            route: route.path,
            path: if route.is_secret { route.path } else { request.uri().path() },
            is_https: settings.url("/").starts_with("https:"),
            version: request.version(),
            host: text(header::HOST).or_else(|| request.uri().authority().map(Authority::as_str)),
            agent: text(header::USER_AGENT),
        };
        let mut attributes = described.attributes();
        if let Some(operation) = route.operation {
            attributes.push(("postrider.operation", operation.into()));
        }
        let peer = request.extensions().get::<Peer>().copied();
        if let Some(client) = client_address(&settings.trusted_proxies, peer, headers) {
            attributes.push(("client.address", client.to_string().into()));
        }
        Self {
            engine: engine.clone(),
            tracer: tracer.clone(),
            kind: SpanKind::Server,
            name: described.name().into(),
            place,
            parent: None,
            began_at: engine.clock().precise(),
            started_at: Instant::now(),
            attributes: Mutex::new(attributes),
        }
    }

    fn attributes(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, Attribute)>> {
        self.attributes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(
        &self,
        place: Place,
        result: Option<(&'static str, Attribute)>,
        error: Option<String>,
    ) {
        let Place { context, parent, links } = place;
        if !context.is_sampled() {
            return;
        }
        let mut attributes = self.attributes().clone();
        attributes.extend(result);
        attributes.extend(error.clone().map(|error| ("error.type", error.into())));
        self.tracer.record(Span {
            name: self.name.clone(),
            kind: self.kind,
            context,
            parent,
            links,
            began_at: self.began_at,
            duration: self.started_at.elapsed(),
            attributes,
            error,
        });
    }
}

/// The context that the caller sent.
fn received(settings: &Settings, headers: &HeaderMap) -> Option<TraceContext> {
    if settings.propagates_traces { TraceContext::of_headers(headers) } else { None }
}
