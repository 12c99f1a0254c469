//! Our spans as those of OpenTelemetry.

use std::time::SystemTime;

use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{self as otel, Link, SpanContext, Status, TraceFlags, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use postrider_core::trace::{Attribute, Span, SpanId, SpanKind, TraceContext};

/// The span as OpenTelemetry's library exports it.
pub(super) fn exported(span: Span, scope: &InstrumentationScope) -> SpanData {
    let start_time = SystemTime::UNIX_EPOCH + span.began_at;
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(|it| Link::with_context(context(it, true))).collect();
    SpanData {
        span_context: context(&span.context, false),
        parent_span_id: span.parent.map_or(otel::SpanId::INVALID, span_id),
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.kind {
            SpanKind::Server => otel::SpanKind::Server,
            SpanKind::Client => otel::SpanKind::Client,
            SpanKind::Consumer => otel::SpanKind::Consumer,
        },
        name: span.name,
        start_time,
        end_time: start_time + span.duration,
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: match span.error {
            // `error.type` says which.
            Some(_) => Status::error(""),
            None => Status::Unset,
        },
        instrumentation_scope: scope.clone(),
    }
}

fn context(context: &TraceContext, is_remote: bool) -> SpanContext {
    SpanContext::new(
        otel::TraceId::from_bytes(context.trace_id.0),
        span_id(context.span_id),
        TraceFlags::new(context.flags),
        is_remote,
        context.state.parse::<TraceState>().unwrap_or_default(),
    )
}

const fn span_id(id: SpanId) -> otel::SpanId {
    otel::SpanId::from_bytes(id.0)
}

fn attribute((name, value): (&'static str, Attribute)) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::from(text),
        Attribute::Number(number) => Value::I64(number),
    };
    KeyValue::new(name, value)
}
