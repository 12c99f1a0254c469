//! The server's metrics; the engine has its own.

mod exposition;
mod process;
mod sandbox;

use std::{
    fmt::{self, Write as _},
    sync::OnceLock,
    time::Duration,
};

use http::StatusCode;
use postrider_engine::Engine;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use self::{process::ProcessCollector, sandbox::SandboxCollector};

pub(crate) use self::exposition::Exposition;

/// Labels of the counter of API requests.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
    /// The class of the status, such as `2xx`.
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

/// Result of a request to a source.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum InboundResult {
    Accepted,
    /// It was accepted before.
    Duplicate,
    Handshake,
    /// It failed verification.
    Rejected,
    /// There is no such source, or the request is malformed, too large or too slow.
    Refused,
    /// The server could not process it.
    Unavailable,
}

impl InboundResult {
    const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Handshake,
        Self::Rejected,
        Self::Refused,
        Self::Unavailable,
    ];
}

impl EncodeLabelValue for InboundResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Handshake => "handshake",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        })
    }
}

/// Labels of the counter of requests to sources. The provider is one that Postrider knows, so that
/// the number of series is bounded.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct InboundLabels {
    provider: String,
    result: InboundResult,
}

/// Metrics of receiving.
#[derive(Clone, Debug)]
pub(crate) struct InboundMetrics {
    requests: Family<InboundLabels, Counter>,
    pub(crate) duration: Histogram,
    pub(crate) dropped_rejections: Counter,
}

impl InboundMetrics {
    fn register(registry: &mut Registry) -> Self {
        let inbound = Self {
            requests: Family::default(),
            duration: duration_histogram(),
            dropped_rejections: Counter::default(),
        };
        registry.register(
            "postrider_inbound_requests",
            "Requests to the URLs of sources, by provider and result",
            inbound.requests.clone(),
        );
        registry.register(
            "postrider_inbound_request_duration_seconds",
            "Time from the head of a request to a source until its response",
            inbound.duration.clone(),
        );
        registry.register(
            "postrider_inbound_rejections_dropped",
            "Rejected requests that were not kept for inspection",
            inbound.dropped_rejections.clone(),
        );
        inbound
    }

    /// Counts a request. The first one of a provider creates the series of all results: a counter
    /// that begins with 1 has no increase, so an alert would miss it.
    pub(crate) fn count(&self, provider: &str, result: InboundResult) {
        let labels = |result| InboundLabels { provider: provider.to_owned(), result };
        if self.requests.get(&labels(result)).is_none() {
            for other in InboundResult::ALL {
                drop(self.requests.get_or_create(&labels(other)));
            }
        }
        self.requests.get_or_create_owned(&labels(result)).inc();
    }
}

/// What became of a message of a queue.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum ConsumerResult {
    Accepted,
    /// It was accepted before.
    Duplicate,
    DeadLetter,
}

impl EncodeLabelValue for ConsumerResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::DeadLetter => "dead_letter",
        })
    }
}

/// Labels of the counter of messages of queues.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ConsumerMessageLabels {
    pub(crate) consumer: String,
    pub(crate) result: ConsumerResult,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct ConsumerLabels {
    pub(crate) consumer: String,
}

/// Metrics of consumers. Their number is limited, so the number of series is bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerMetrics {
    pub(crate) messages: Family<ConsumerMessageLabels, Counter>,
    /// 1 if it reads its queue, 0 if not.
    pub(crate) connected: Family<ConsumerLabels, Gauge>,
    pub(crate) in_flight: Family<ConsumerLabels, Gauge>,
}

impl ConsumerMetrics {
    fn register(registry: &mut Registry) -> Self {
        let consumers = Self::default();
        registry.register(
            "postrider_consumer_messages",
            "Messages of queues, by consumer and result",
            consumers.messages.clone(),
        );
        registry.register(
            "postrider_consumer_connected",
            "Whether the consumer reads its queue on this node",
            consumers.connected.clone(),
        );
        registry.register(
            "postrider_consumer_in_flight",
            "Messages of the queue that this node has received and not acknowledged",
            consumers.in_flight.clone(),
        );
        consumers
    }

    /// Removes the series of a consumer that no longer runs.
    pub(crate) fn remove(&self, consumer: &str) {
        let labels = ConsumerLabels { consumer: consumer.to_owned() };
        self.connected.remove(&labels);
        self.in_flight.remove(&labels);
        for result in
            [ConsumerResult::Accepted, ConsumerResult::Duplicate, ConsumerResult::DeadLetter]
        {
            let consumer = consumer.to_owned();
            self.messages.remove(&ConsumerMessageLabels { consumer, result });
        }
    }
}

/// What a check of a payload against a schema found.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum SchemaResult {
    Valid,
    /// It did not match, and was accepted.
    Warned,
    /// It did not match, and was refused.
    Rejected,
    /// The schema cannot be used.
    Unusable,
}

impl EncodeLabelValue for SchemaResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Valid => "valid",
            Self::Warned => "warned",
            Self::Rejected => "rejected",
            Self::Unusable => "unusable",
        })
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct SchemaLabels {
    pub(crate) result: SchemaResult,
}

/// Metrics of the checks of payloads.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchemaMetrics {
    pub(crate) checks: Family<SchemaLabels, Counter>,
}

impl SchemaMetrics {
    fn register(registry: &mut Registry) -> Self {
        let schemas = Self::default();
        registry.register(
            "postrider_schema_checks",
            "Payloads that were checked against the schema of their event type, by result",
            schemas.checks.clone(),
        );
        schemas
    }
}

/// Metrics of the readers of `live` endpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveMetrics {
    pub(crate) readers: Gauge,
    pub(crate) dropped: Counter,
}

impl LiveMetrics {
    fn register(registry: &mut Registry) -> Self {
        let live = Self::default();
        registry.register(
            "postrider_live_readers",
            "Readers of live endpoints that are connected to this node",
            live.readers.clone(),
        );
        registry.register(
            "postrider_live_readers_dropped",
            "Readers of live endpoints that were disconnected because they read too slowly",
            live.dropped.clone(),
        );
        live
    }
}

/// Whether programs listen with a token.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AccessLabels {
    access: &'static str,
}

/// What became of a request to a listening program.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RelayLabels {
    result: &'static str,
}

/// Metrics of the relay of `postrider listen`.
#[derive(Clone, Debug)]
pub(crate) struct RelayMetrics {
    pub(crate) anonymous: Gauge,
    pub(crate) authenticated: Gauge,
    pub(crate) responded: Counter,
    pub(crate) failed: Counter,
}

impl RelayMetrics {
    fn register(registry: &mut Registry) -> Self {
        let sessions = Family::<AccessLabels, Gauge>::default();
        let requests = Family::<RelayLabels, Counter>::default();
        registry.register(
            "postrider_relay_sessions",
            "Programs that listen through this node, with a token or without",
            sessions.clone(),
        );
        registry.register(
            "postrider_relay_requests",
            "Requests to listening programs, by result",
            requests.clone(),
        );
        let session = |access| sessions.get_or_create_owned(&AccessLabels { access });
        let request = |result| requests.get_or_create_owned(&RelayLabels { result });
        Self {
            anonymous: session("anonymous"),
            authenticated: session("authenticated"),
            responded: request("responded"),
            failed: request("failed"),
        }
    }
}

/// A gauge that counts this as long as it exists.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Labels of the metric about this program.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    store: &'static str,
}

/// A metric that is always 1: its labels say what runs.
fn register_build(registry: &mut Registry, engine: &Engine) {
    let store = if engine.store().is_shared() { "postgres" } else { "embedded" };
    let build = Family::<BuildLabels, Gauge>::default();
    build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION"), store }).set(1);
    registry.register(
        "postrider_build_info",
        "Version of the server, and kind of its store",
        build,
    );
}

/// Labels of the counter of refusals.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct QuotaLabels {
    pub(crate) quota: &'static str,
}

/// Requests refused because of a quota.
pub(crate) type Refusals = Family<QuotaLabels, Counter>;

type Durations = Family<Operation, Histogram, fn() -> Histogram>;

/// The server's metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) inbound: InboundMetrics,
    pub(crate) consumers: ConsumerMetrics,
    pub(crate) live: LiveMetrics,
    pub(crate) relay: RelayMetrics,
    pub(crate) schemas: SchemaMetrics,
    pub(crate) refusals: Refusals,
    requests: Family<Labels, Counter>,
    durations: Durations,
}

/// The metrics of one operation. Looking them up in their families takes a lock, so that it is done
/// once. The histogram is created with the first request, because most operations are never called
/// and each histogram has eleven series.
#[derive(Debug)]
pub(crate) struct OperationMetrics {
    operation: &'static str,
    requests: [Counter; CLASSES.len()],
    durations: Durations,
    duration: OnceLock<Histogram>,
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    pub(crate) fn register(registry: &mut Registry, engine: &Engine) -> Self {
        register_build(registry, engine);
        registry.register_collector(Box::new(ProcessCollector::new()));
        registry.register_collector(Box::new(SandboxCollector(engine.clone())));
        let metrics = Self {
            inbound: InboundMetrics::register(registry),
            consumers: ConsumerMetrics::register(registry),
            live: LiveMetrics::register(registry),
            relay: RelayMetrics::register(registry),
            schemas: SchemaMetrics::register(registry),
            refusals: Refusals::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
        };
        registry.register(
            "postrider_quota_refusals",
            "Requests refused because an application has reached a quota, by quota",
            metrics.refusals.clone(),
        );
        registry.register(
            "postrider_http_requests",
            "Requests to the API, by operation and class of the status",
            metrics.requests.clone(),
        );
        registry.register(
            "postrider_http_request_duration_seconds",
            "Time from the head of a request until its response, by operation",
            metrics.durations.clone(),
        );
        metrics
    }

    pub(crate) fn operation(&self, operation: &'static str) -> OperationMetrics {
        let requests =
            CLASSES.map(|status| self.requests.get_or_create_owned(&Labels { operation, status }));
        let durations = self.durations.clone();
        OperationMetrics { operation, requests, durations, duration: OnceLock::new() }
    }
}

impl OperationMetrics {
    pub(crate) fn record(&self, status: StatusCode, duration: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[class].inc();
        let operation = self.operation;
        let create = || self.durations.get_or_create_owned(&Operation { operation });
        self.duration.get_or_init(create).observe(duration.as_secs_f64());
    }
}

/// From 0.25 ms to 16 s.
fn duration_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 4.0, 9))
}
