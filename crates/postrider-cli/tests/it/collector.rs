//! A collector of traces, as OpenTelemetry's protocol over HTTP defines it.

use std::{
    fmt::Write as _,
    io::Read,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode as SpanStatus},
};
use prost::Message;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};

use crate::server::MAX_WAIT;

/// A span that was received.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) span: Span,
    /// The attributes of the service.
    pub(crate) resource: Vec<KeyValue>,
    /// The headers of the request that brought it.
    pub(crate) headers: HeaderMap,
}

impl Received {
    /// The value of an attribute as text; empty if there is none.
    pub(crate) fn attribute(&self, name: &str) -> String {
        value(&self.span.attributes, name)
    }

    pub(crate) fn of_service(&self, name: &str) -> String {
        value(&self.resource, name)
    }

    pub(crate) fn is(&self, kind: SpanKind, message: &str) -> bool {
        self.span.kind == kind as i32 && self.attribute("postrider.message.id") == message
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|it| it.code == SpanStatus::Error as i32)
    }

    pub(crate) fn trace_id(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(crate) fn span_id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// Trace and span of each link.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        self.span.links.iter().map(|it| (hex(&it.trace_id), hex(&it.span_id))).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn value(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|it| it.key == name).and_then(|it| it.value.as_ref());
    match found {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.clone(),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        _ => String::new(),
    }
}

#[derive(Debug, Default)]
struct Shared {
    spans: Mutex<Vec<Received>>,
    arrived: Notify,
}

/// A running collector.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let router = Router::new().route("/v1/traces", post(receive)).with_state(shared.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Received> {
        self.shared.spans.lock().unwrap().clone()
    }

    /// Waits until there are this many such spans, and returns them in the order of their start.
    #[track_caller]
    pub(crate) fn until(
        &self,
        count: usize,
        is_wanted: impl Fn(&Received) -> bool,
    ) -> impl Future<Output = Vec<Received>> {
        let place = std::panic::Location::caller();
        async move {
            let enough = async {
                loop {
                    let arrived = self.shared.arrived.notified();
                    let mut found: Vec<_> = self.spans().into_iter().filter(&is_wanted).collect();
                    if found.len() >= count {
                        found.sort_by_key(|it| it.span.start_time_unix_nano);
                        return found;
                    }
                    arrived.await;
                }
            };
            let found = timeout(MAX_WAIT, enough).await;
            found.unwrap_or_else(|_| panic!("{place}: only these spans: {:#?}", self.spans()))
        }
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut bytes = Vec::new();
    if headers.get("content-encoding").is_some_and(|it| it == "gzip") {
        GzDecoder::new(&*body).read_to_end(&mut bytes).unwrap();
    } else {
        bytes.extend_from_slice(&body);
    }
    let request = ExportTraceServiceRequest::decode(&*bytes).unwrap();
    for group in request.resource_spans {
        let resource = group.resource.map(|it| it.attributes).unwrap_or_default();
        for span in group.scope_spans.into_iter().flat_map(|it| it.spans) {
            let received = Received { span, resource: resource.clone(), headers: headers.clone() };
            shared.spans.lock().unwrap().push(received);
        }
    }
    shared.arrived.notify_waiters();
    StatusCode::OK
}
