//! The place of a request in a distributed trace, as W3C Trace Context defines it.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::state;

/// The header with the ids.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header with what tracing systems add.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Length of a `traceparent` of version 00. Later versions may be longer.
const LENGTH: usize = 55;

/// The flags that are known: sampled, and that the trace id is random.
const KNOWN_FLAGS: u8 = 0b11;

const SAMPLED: u8 = 0b01;

/// Identifies a trace; never zero, except in a damaged row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceId(pub [u8; 16]);

/// Identifies a span in its trace; never zero, except in a damaged row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpanId(pub [u8; 8]);

/// The place of a request in a distributed trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    pub trace_id: TraceId,
    /// The span that made the request.
    pub span_id: SpanId,
    /// The flags of `traceparent`.
    pub flags: u8,
    /// The value of `tracestate`; empty if there is none.
    pub state: String,
}

impl TraceContext {
    /// The context of a new span.
    pub fn new(trace_id: TraceId, span_id: SpanId, is_sampled: bool) -> Self {
        Self { trace_id, span_id, flags: u8::from(is_sampled), state: String::new() }
    }

    /// The context of the request with these headers; `None` if there is no valid `traceparent`. An
    /// invalid `tracestate` is ignored.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next()?.to_str().ok()?;
        // Two of them contradict each other.
        if parents.next().is_some() {
            return None;
        }
        let states = headers.get_all(TRACESTATE).iter().map(|it| it.to_str().ok());
        Self::parse(parent, states)
    }

    /// The context with these values of the headers. `states` has `None` for a value that is not
    /// ASCII.
    pub fn parse<'a>(
        traceparent: &str,
        states: impl Iterator<Item = Option<&'a str>>,
    ) -> Option<Self> {
        let (trace_id, span_id, flags) = parse_parent(traceparent.trim_matches([' ', '\t']))?;
        let state = state::parse(states).unwrap_or_default();
        Some(Self { trace_id, span_id, flags, state })
    }

    /// Whether the caller records its spans.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The context of another span in the same trace.
    pub fn with_span(&self, span_id: SpanId, is_sampled: bool) -> Self {
        let flags = (self.flags & !SAMPLED) | u8::from(is_sampled);
        Self { span_id, flags, ..self.clone() }
    }

    /// The value of `traceparent`.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags & KNOWN_FLAGS)
    }

    /// Sets the headers of a request, in place of others with their names.
    pub fn set_headers(&self, headers: &mut HeaderMap) {
        let Ok(parent) = HeaderValue::try_from(self.traceparent()) else { return };
        headers.insert(TRACEPARENT, parent);
        headers.remove(TRACESTATE);
        if let Some(state) = HeaderValue::from_str(&self.state).ok().filter(|it| !it.is_empty()) {
            headers.insert(TRACESTATE, state);
        }
    }
}

fn parse_parent(text: &str) -> Option<(TraceId, SpanId, u8)> {
    let bytes = text.as_bytes();
    if bytes.len() < LENGTH || [2, 35, 52].iter().any(|at| bytes[*at] != b'-') {
        return None;
    }
    let [version] = hex(&bytes[..2])?;
    let is_complete = match version {
        0 => bytes.len() == LENGTH,
        0xff => false,
        _ => bytes.get(LENGTH).is_none_or(|it| *it == b'-'),
    };
    if !is_complete {
        return None;
    }
    let (trace_id, span_id) = (hex(&bytes[3..35])?, hex(&bytes[36..52])?);
    let [flags] = hex(&bytes[53..LENGTH])?;
    let are_ids = trace_id != [0; 16] && span_id != [0; 8];
    are_ids.then_some((TraceId(trace_id), SpanId(span_id), flags & KNOWN_FLAGS))
}

/// Bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

const fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parse(traceparent: &str) -> Option<TraceContext> {
        TraceContext::parse(traceparent, std::iter::empty())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn valid_values_are_read() {
        for (text, flags) in [
            (format!("00-{TRACE}-{SPAN}-01"), 1),
            (format!("00-{TRACE}-{SPAN}-00"), 0),
            (format!(" 00-{TRACE}-{SPAN}-03\t"), 3),
            // Flags that are not known are not passed on.
            (format!("00-{TRACE}-{SPAN}-ff"), 3),
            // A later version may have more fields.
            (format!("01-{TRACE}-{SPAN}-01"), 1),
            (format!("cc-{TRACE}-{SPAN}-01-more"), 1),
        ] {
            let context = parse(&text).unwrap_or_else(|| panic!("{text}"));
            let expected = format!("00-{TRACE}-{SPAN}-{flags:02x}");
            assert_eq!(context.traceparent(), expected, "{text}");
            assert_eq!(context.is_sampled(), flags & 1 == 1, "{text}");
        }
    }

    #[test]
    fn invalid_values_are_ignored() {
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-011"),
            format!("01-{TRACE}-{SPAN}-01more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.replace('4', "g")),
            format!("00_{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00-{}-{SPAN}-01", TRACE.replace("4b", "é")),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    #[test]
    fn contradicting_headers_are_ignored() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::of_headers(&headers(&[
            ("traceparent", parent),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ]));
        assert_eq!(context.unwrap().state, "a=1,b=2");
        let twice = headers(&[("traceparent", parent), ("traceparent", parent)]);
        assert_eq!(TraceContext::of_headers(&twice), None);
        assert_eq!(TraceContext::of_headers(&headers(&[("tracestate", "a=1")])), None);
        let invalid = headers(&[("traceparent", parent), ("tracestate", "A=")]);
        assert_eq!(TraceContext::of_headers(&invalid).unwrap().state, "");
    }

    #[test]
    fn headers_replace_those_of_another_context() {
        let mut sent = headers(&[("traceparent", "x"), ("tracestate", "y=1"), ("a", "b")]);
        let context = parse(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        context.set_headers(&mut sent);
        assert_eq!(sent["traceparent"], context.traceparent());
        assert!(!sent.contains_key("tracestate"));
        let context = TraceContext { state: "k=v".to_owned(), ..context };
        context.set_headers(&mut sent);
        assert_eq!((sent["tracestate"].to_str().unwrap(), sent.len()), ("k=v", 3));
    }

    #[test]
    fn another_span_of_the_trace_keeps_the_rest() {
        let context = parse(&format!("00-{TRACE}-{SPAN}-03")).unwrap();
        let child = context.with_span(SpanId([7; 8]), false);
        assert_eq!(child.traceparent(), format!("00-{TRACE}-0707070707070707-02"));
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), flags in 0_u8..4) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let state = String::new();
            let context = TraceContext { trace_id: TraceId(trace), span_id: SpanId(span), flags, state };
            prop_assert_eq!(parse(&context.traceparent()), Some(context));
        }

        #[test]
        fn no_text_is_read_as_something_else(text in "[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-.{0,4})?") {
            if let Some(context) = parse(&text) {
                let ids = format!("-{}-{}-", context.trace_id, context.span_id);
                prop_assert_eq!(text.find(&ids), Some(2));
            }
        }

        #[test]
        fn arbitrary_text_is_handled(text in ".{0,80}") {
            parse(&text);
        }
    }
}
