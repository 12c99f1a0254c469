//! Numbers as the API shows them.

use std::time::Duration;

use postrider::api::{LatencyBucketOut, LatencyOut, StatisticsCountsOut};
use postrider_core::statistics::{Counters, Histogram};

pub(super) fn counts(counters: &Counters) -> StatisticsCountsOut {
    StatisticsCountsOut {
        accepted: counters.accepted(),
        filtered: counters.filtered(),
        delivered: counters.delivered(),
        failed: counters.failed(),
        given_up: counters.given_up(),
        causes: counters.causes().map(|(it, count)| (it.name().to_owned(), count)).collect(),
        received: counters.requests(),
        duplicates: counters.duplicates(),
        rejected: counters.rejected(),
        attempt_duration: latency(&counters.durations()),
        time_to_delivery: latency(&counters.elapsed()),
    }
}

fn latency(histogram: &Histogram) -> LatencyOut {
    let percentile = |percent| histogram.percentile(percent).map(millis);
    let bucket = |&(bucket, count): &(postrider_core::statistics::Bucket, u64)| LatencyBucketOut {
        below_ms: bucket.below_millis(),
        count,
    };
    LatencyOut {
        count: histogram.count(),
        p50_ms: percentile(50),
        p95_ms: percentile(95),
        p99_ms: percentile(99),
        buckets: histogram.buckets().iter().map(bucket).collect(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
