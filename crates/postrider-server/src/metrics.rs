//! Numbers about the API. The only place that declares them.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// What request counts are told apart by.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
    /// `2xx` and the like.
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

/// What became of a request to a source.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
pub(crate) enum InboundResult {
    Accepted,
    /// It was accepted before.
    Duplicate,
    Handshake,
    /// It was not to be believed.
    Rejected,
    /// It led to no source, or was not of a form that is taken.
    Refused,
    /// It was our fault.
    Unavailable,
}

/// What requests to sources are told apart by. Providers are those that are known.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct InboundLabels {
    pub(crate) provider: String,
    pub(crate) result: InboundResult,
}

/// Numbers about receiving.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) requests: Family<InboundLabels, Counter>,
    pub(crate) seconds: Histogram,
    pub(crate) dropped: Counter,
}

impl Inbound {
    fn register(registry: &mut Registry) -> Self {
        let inbound = Self {
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 4.0, 9)),
            dropped: Counter::default(),
        };
        registry.register(
            "postrider_inbound_requests",
            "Requests to the URLs of sources, by provider and result",
            inbound.requests.clone(),
        );
        registry.register(
            "postrider_inbound_request_seconds",
            "Time from the head of a request to a source to its answer",
            inbound.seconds.clone(),
        );
        registry.register(
            "postrider_inbound_rejections_dropped",
            "Rejected requests that were not kept for inspection",
            inbound.dropped.clone(),
        );
        inbound
    }
}

/// Which quota a request would have exceeded.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct QuotaLabels {
    pub(crate) quota: &'static str,
}

/// Requests that were refused because of a quota.
pub(crate) type Refusals = Family<QuotaLabels, Counter>;

/// Numbers about the API.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) inbound: Inbound,
    pub(crate) refusals: Refusals,
    requests: Family<Labels, Counter>,
    seconds: Family<Operation, Histogram, fn() -> Histogram>,
}

/// The numbers of one operation, looked up once.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: [Counter; CLASSES.len()],
    seconds: Histogram,
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 4.0, 9));
        let metrics = Self {
            inbound: Inbound::register(registry),
            refusals: Refusals::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
        };
        registry.register(
            "postrider_quota_refusals",
            "Requests refused because an application has reached a quota, by quota",
            metrics.refusals.clone(),
        );
        registry.register(
            "postrider_http_requests",
            "Requests to the API that were answered",
            metrics.requests.clone(),
        );
        registry.register(
            "postrider_http_request_seconds",
            "Time from the head of a request to its answer",
            metrics.seconds.clone(),
        );
        metrics
    }

    pub(crate) fn meter(&self, operation: &'static str) -> Meter {
        let requests =
            CLASSES.map(|status| self.requests.get_or_create_owned(&Labels { operation, status }));
        let seconds = self.seconds.get_or_create_owned(&Operation { operation });
        Meter { requests, seconds }
    }
}

impl Meter {
    pub(crate) fn record(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[class].inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
