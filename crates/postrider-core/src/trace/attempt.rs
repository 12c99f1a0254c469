//! The span of an attempt: its place in traces, and what it says.

use std::{net::SocketAddr, time::Duration};

use postrider::{AttemptId, api::EndpointKind};
use url::Url;

use super::{
    context::{SpanId, TraceContext, TraceId},
    sampler::Sampler,
    span::{Attribute, Span, SpanKind},
};
use crate::{
    cause::Cause,
    delivery::{Delivery, Trigger},
    message::Message,
    outcome::Outcome,
    time::Timestamp,
};

/// A first attempt that begins within this time after the message was accepted belongs to the
/// trace of the message. Systems that collect traces consider one complete after minutes.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// Most links of a span: the default of `OTEL_SPAN_LINK_COUNT_LIMIT`.
const MAX_LINKS: usize = 128;

/// Ids for a new span, drawn at random.
#[derive(Clone, Copy, Debug)]
pub struct NewIds {
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// The place of a span in traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub context: TraceContext,
    pub parent: Option<SpanId>,
    pub links: Vec<TraceContext>,
}

impl Place {
    /// Below `parent`, in its trace.
    pub fn child(parent: &TraceContext, ids: NewIds, sampler: &Sampler) -> Self {
        let is_sampled = sampler.records(parent.trace_id, Some(parent));
        let context = parent.with_span(ids.span_id, is_sampled);
        Self { context, parent: Some(parent.span_id), links: Vec::new() }
    }

    /// The first span of a new trace, which `origin` led to, if there is one. `origin` has no
    /// influence on whether the trace is recorded.
    pub fn root(origin: Option<TraceContext>, ids: NewIds, sampler: &Sampler) -> Self {
        let is_sampled = sampler.records(ids.trace_id, None);
        let context = TraceContext::new(ids.trace_id, ids.span_id, is_sampled);
        Self { context, parent: None, links: origin.into_iter().collect() }
    }

    /// The place of an attempt that begins now. The first one follows its message. Later ones, which
    /// may come after hours, and batches begin a trace of their own with links to the messages; it is
    /// recorded if one of theirs is.
    pub fn of_attempt(
        delivery: &Delivery,
        messages: &[&Message],
        now: Timestamp,
        (ids, sampler): (NewIds, &Sampler),
    ) -> Self {
        let follows = delivery.attempt == 1 && delivery.trigger == Trigger::Scheduled;
        if let [message] = messages
            && let Some(parent) = &message.trace
            && follows
            && now.since(message.created_at()) <= MAX_DELAY
        {
            return Self::child(parent, ids, sampler);
        }
        let mut links: Vec<TraceContext> = Vec::new();
        for trace in messages.iter().filter_map(|it| it.trace.as_deref()) {
            if links.len() < MAX_LINKS && !links.contains(trace) {
                links.push(trace.clone());
            }
        }
        let origin = links.iter().find(|it| it.is_sampled()).or(links.first());
        // By the id of the trace that it continues, so that a ratio selects both or neither.
        let is_sampled = sampler.records(origin.map_or(ids.trace_id, |it| it.trace_id), origin);
        let context = TraceContext::new(ids.trace_id, ids.span_id, is_sampled);
        Self { context, parent: None, links }
    }
}

/// What is known about an attempt when it has ended.
#[derive(Clone, Copy, Debug)]
pub struct EndedAttempt<'a> {
    pub delivery: &'a Delivery,
    pub id: AttemptId,
    pub kind: EndpointKind,
    /// Messages in the request.
    pub messages: usize,
    pub url: &'a str,
    /// The address that was called.
    pub address: Option<SocketAddr>,
    /// The method, if it was called over HTTP.
    pub method: Option<&'a str>,
    pub outcome: Outcome,
    /// The transformation of the endpoint cancelled the delivery.
    pub is_cancelled: bool,
}

impl EndedAttempt<'_> {
    /// The span of the attempt.
    pub fn span(&self, place: Place, began_at: Duration, duration: Duration) -> Span {
        let Place { context, parent, links } = place;
        let name = match self.method {
            Some(method) => method.to_owned().into(),
            None => format!("deliver {}", self.kind.name()).into(),
        };
        Span {
            name,
            kind: SpanKind::Client,
            context,
            parent,
            links,
            began_at,
            duration,
            attributes: self.attributes(),
            error: self.error().filter(|_| !self.is_cancelled),
        }
    }

    /// The status of a response, or the reason why there is none.
    fn error(&self) -> Option<String> {
        match self.outcome {
            outcome if outcome.delivered() => None,
            Outcome::Answered { status, .. } => Some(status.to_string()),
            Outcome::Unanswered(failure) => Some(Cause::Failure(failure).to_string()),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let delivery = self.delivery;
        let mut attributes: Vec<(&'static str, Attribute)> = vec![
            ("postrider.application.id", delivery.application.to_string().into()),
            ("postrider.message.id", delivery.id.message.to_string().into()),
            ("postrider.endpoint.id", delivery.id.endpoint.to_string().into()),
            ("postrider.endpoint.kind", self.kind.name().into()),
            ("postrider.attempt.id", self.id.to_string().into()),
            ("postrider.attempt.number", delivery.attempt.into()),
            ("postrider.attempt.trigger", trigger(delivery.trigger).into()),
        ];
        let mut add = |name, value: Attribute| attributes.push((name, value));
        if self.messages > 1 {
            add("messaging.batch.message_count", self.messages.into());
        }
        if delivery.attempt > 1 {
            add("http.request.resend_count", (delivery.attempt - 1).into());
        }
        if self.is_cancelled {
            add("postrider.attempt.cancelled", "true".into());
        } else if let Some(method) = self.method {
            add("http.request.method", method.to_owned().into());
            if let Some(status) = self.outcome.status() {
                add("http.response.status_code", status.into());
            }
        }
        if let Some(address) = self.address {
            add("network.peer.address", address.ip().to_string().into());
            add("network.peer.port", address.port().into());
        }
        if let Ok(url) = Url::parse(self.url) {
            add_url(&url, &mut add);
        }
        if let Some(error) = self.error().filter(|_| !self.is_cancelled) {
            add("error.type", error.into());
        }
        attributes
    }
}

fn add_url(url: &Url, add: &mut impl FnMut(&'static str, Attribute)) {
    if let Some(host) = url.host_str() {
        add("server.address", host.trim_matches(['[', ']']).to_owned().into());
    }
    if let Some(port) = url.port_or_known_default() {
        add("server.port", port.into());
    }
    add("url.full", without_secrets(url).into());
}

/// What a value is replaced with that may be a secret, as the conventions prescribe.
const REDACTED: &str = "REDACTED";

/// The URL without credentials and without the values of its query.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_fragment(None);
    if !shown.username().is_empty() || shown.password().is_some() {
        // Both fail only for URLs that have no host, and such have no credentials.
        shown.set_username(REDACTED).ok();
        shown.set_password(Some(REDACTED)).ok();
    }
    if let Some(query) = url.query() {
        let redacted = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}={REDACTED}"),
            None => REDACTED.to_owned(),
        });
        shown.set_query(Some(&redacted.collect::<Vec<_>>().join("&")));
    }
    shown.into()
}

const fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Scheduled => "scheduled",
        Trigger::Manual => "manual",
    }
}

#[cfg(test)]
mod tests {
    use postrider::{ApplicationId, EndpointId, MessageId};

    use super::*;
    use crate::{delivery::DeliveryId, fixtures, outcome::Failure};

    const IDS: NewIds = NewIds { trace_id: TraceId([9; 16]), span_id: SpanId([9; 8]) };

    fn context(byte: u8, is_sampled: bool) -> TraceContext {
        TraceContext::new(TraceId([byte; 16]), SpanId([byte; 8]), is_sampled)
    }

    fn message(trace: Option<TraceContext>) -> Message {
        Message { trace: trace.map(Box::new), ..fixtures::message() }
    }

    fn delivery(attempt: u16, trigger: Trigger) -> Delivery {
        let id =
            DeliveryId { endpoint: EndpointId::from_u128(1), message: MessageId::from_u128(2) };
        let first = Delivery::first(id, ApplicationId::from_u128(3));
        Delivery { attempt, trigger, ..first }
    }

    #[test]
    fn the_first_attempt_follows_its_message() {
        let traced = message(Some(context(1, true)));
        let at = traced.created_at();
        let (first, sampler) = (delivery(1, Trigger::Scheduled), Sampler::default());
        for (delivery, now, is_child) in [
            (first, at, true),
            (first, at + MAX_DELAY, true),
            (first, at + MAX_DELAY + Duration::from_millis(1), false),
            (delivery(2, Trigger::Scheduled), at, false),
            (delivery(1, Trigger::Manual), at, false),
        ] {
            let place = Place::of_attempt(&delivery, &[&traced], now, (IDS, &sampler));
            let expected = if is_child {
                let context = context(1, true).with_span(IDS.span_id, true);
                Place { context, parent: Some(SpanId([1; 8])), links: Vec::new() }
            } else {
                Place { context: context(9, true), parent: None, links: vec![context(1, true)] }
            };
            assert_eq!(place, expected, "{delivery:?} {now:?}");
        }
    }

    #[test]
    fn a_batch_has_a_link_to_each_message() {
        let messages = [
            message(Some(context(1, false))),
            message(None),
            message(Some(context(2, true))),
            message(Some(context(2, true))),
        ];
        let messages: Vec<_> = messages.iter().collect();
        let now = messages[0].created_at();
        let first = delivery(1, Trigger::Scheduled);
        let of = |messages: &[&Message], sampler: &Sampler| {
            Place::of_attempt(&first, messages, now, (IDS, sampler))
        };
        let place = of(&messages, &Sampler::default());
        assert_eq!(place.links, [context(1, false), context(2, true)]);
        assert!(place.context.is_sampled());
        // None of these is recorded, so the batch is not either.
        assert!(!of(&messages[..2], &Sampler::default()).context.is_sampled());
        let all = Sampler::parse("always_on", None).unwrap();
        assert!(of(&messages[..2], &all).context.is_sampled());
        assert_eq!(of(&messages[1..2], &Sampler::default()).links, []);
    }

    #[test]
    fn a_caller_that_is_not_trusted_does_not_decide_what_is_recorded() {
        let none = Sampler::parse("parentbased_always_off", None).unwrap();
        let place = Place::root(Some(context(1, true)), IDS, &none);
        let expected =
            Place { context: context(9, false), parent: None, links: vec![context(1, true)] };
        assert_eq!(place, expected);
        assert!(Place::child(&context(1, true), IDS, &none).context.is_sampled());
    }

    fn span(delivery: &Delivery, url: &str, outcome: Outcome) -> Span {
        let ended = EndedAttempt {
            delivery,
            id: AttemptId::from_u128(4),
            kind: EndpointKind::Http,
            messages: 1,
            url,
            address: Some("192.0.2.1:443".parse().unwrap()),
            method: Some("POST"),
            outcome,
            is_cancelled: false,
        };
        let place = Place::root(None, IDS, &Sampler::default());
        ended.span(place, Duration::from_secs(1), Duration::from_millis(5))
    }

    fn texts(span: &Span) -> Vec<String> {
        let standard = span.attributes.iter().filter(|(name, _)| !name.starts_with("postrider."));
        let text = |(name, value): &(&str, Attribute)| match value {
            Attribute::Text(text) => format!("{name}={text}"),
            Attribute::Number(number) => format!("{name}={number}"),
        };
        standard.map(text).collect()
    }

    #[test]
    fn a_span_follows_the_conventions_for_http() {
        let delivered = Outcome::Answered { status: 204, retry_after: None };
        let first = span(&delivery(1, Trigger::Scheduled), "https://example.com/hook", delivered);
        assert_eq!((first.name.as_ref(), first.kind), ("POST", SpanKind::Client));
        assert_eq!(first.error, None);
        assert_eq!(
            texts(&first),
            [
                "http.request.method=POST",
                "http.response.status_code=204",
                "network.peer.address=192.0.2.1",
                "network.peer.port=443",
                "server.address=example.com",
                "server.port=443",
                "url.full=https://example.com/hook",
            ]
        );
        let failed = Outcome::Answered { status: 503, retry_after: None };
        let third = span(&delivery(3, Trigger::Scheduled), "http://[::1]:8080/", failed);
        let attributes = texts(&third);
        for expected in [
            "http.request.resend_count=2",
            "http.response.status_code=503",
            "error.type=503",
            "server.address=::1",
            "server.port=8080",
        ] {
            assert!(attributes.iter().any(|it| it == expected), "{attributes:?}");
        }
        assert_eq!(third.error.as_deref(), Some("503"));
        let timeout = Outcome::Unanswered(Failure::Timeout);
        let failed = span(&delivery(1, Trigger::Scheduled), "https://example.com", timeout);
        assert_eq!(failed.error.as_deref(), Some("timeout"));
        assert!(!texts(&failed).iter().any(|it| it.starts_with("http.response")));
    }

    #[test]
    fn a_cancelled_delivery_is_no_error() {
        let delivery = delivery(1, Trigger::Scheduled);
        let ended = EndedAttempt {
            delivery: &delivery,
            id: AttemptId::from_u128(4),
            kind: EndpointKind::Http,
            messages: 1,
            url: "https://example.com",
            address: None,
            method: Some("POST"),
            outcome: Outcome::ACCEPTED,
            is_cancelled: true,
        };
        let attributes = ended.attributes();
        assert!(attributes.contains(&("postrider.attempt.cancelled", "true".into())));
        assert!(!attributes.iter().any(|(name, _)| name.starts_with("http.")));
    }

    #[test]
    fn urls_are_shown_without_secrets() {
        for (url, expected) in [
            ("https://u:p@example.com/a", "https://REDACTED:REDACTED@example.com/a"),
            (
                "https://example.com/?a=1&b=&c#d",
                "https://example.com/?a=REDACTED&b=REDACTED&REDACTED",
            ),
            ("https://example.com/a?", "https://example.com/a?REDACTED"),
        ] {
            assert_eq!(without_secrets(&url.parse().unwrap()), expected);
        }
    }
}
