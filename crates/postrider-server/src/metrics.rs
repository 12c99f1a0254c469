//! Numbers about the API. The only place that declares them.

use std::time::Duration;

use http::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
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

/// Numbers about the API.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
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
        let metrics =
            Self { requests: Family::default(), seconds: Family::new_with_constructor(seconds) };
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
