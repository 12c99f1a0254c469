//! How messages flow to an endpoint: in batches, paused, and what happens to one that keeps failing.

use postrider::api::{
    EndpointBatch, Patch,
    endpoint_batch::{MAX_BATCH, MAX_BATCH_WAIT_SECONDS, MAX_SKIP_AFTER},
};
use postrider_core::{
    catalog::{BatchLimits, Endpoint, Ordering},
    retry::AttemptLimit,
};

use super::kind::HTTP_ONLY;
use crate::api::problems::Problems;

/// Changes of the three settings; what is absent stays.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub batch: Patch<EndpointBatch>,
    pub paused: Option<bool>,
    pub skip_after: Patch<u16>,
}

impl Flow {
    /// What a new or replaced endpoint has.
    pub(super) fn given(
        batch: Option<EndpointBatch>,
        paused: Option<bool>,
        skip_after: Option<u16>,
    ) -> Self {
        let skip_after = skip_after.map_or(Patch::Keep, Patch::Set);
        Self { batch: batch.map_or(Patch::Keep, Patch::Set), paused, skip_after }
    }

    /// Changes the endpoint, whose kind and ordering are those after the change.
    pub(super) fn apply(self, endpoint: &mut Endpoint, problems: &mut Problems<'_>) {
        match self.batch {
            Patch::Keep => {},
            Patch::Clear => endpoint.batch = None,
            Patch::Set(batch) => endpoint.batch = Some(limits(batch, problems)),
        }
        match self.skip_after {
            // Without an order, nothing waits for a message that fails.
            Patch::Keep if endpoint.ordering == Ordering::Any => {
                endpoint.attempt_limit = AttemptLimit::Schedule;
            },
            Patch::Keep => {},
            Patch::Clear => endpoint.attempt_limit = AttemptLimit::Schedule,
            Patch::Set(count) => endpoint.attempt_limit = attempt_limit(count, problems),
        }
        endpoint.paused = self.paused.unwrap_or(endpoint.paused);
        check(endpoint, problems);
    }
}

fn limits(batch: EndpointBatch, problems: &mut Problems<'_>) -> BatchLimits {
    let EndpointBatch { size, max_wait_seconds } = batch;
    if !(1..=MAX_BATCH).contains(&size) {
        problems.add(&["batch", "size"], format!("must be from 1 to {MAX_BATCH}"));
    }
    if max_wait_seconds > MAX_BATCH_WAIT_SECONDS {
        let message = format!("must be at most {MAX_BATCH_WAIT_SECONDS}");
        problems.add(&["batch", "maxWaitSeconds"], message);
    }
    BatchLimits { size, max_wait_seconds }
}

fn attempt_limit(count: u16, problems: &mut Problems<'_>) -> AttemptLimit {
    if count > MAX_SKIP_AFTER {
        problems.add(&["skipAfter"], format!("must be at most {MAX_SKIP_AFTER}"));
    }
    match count {
        0 => AttemptLimit::Unlimited,
        count => AttemptLimit::Attempts(count),
    }
}

fn check(endpoint: &Endpoint, problems: &mut Problems<'_>) {
    problems.require(endpoint.batch.is_none() || endpoint.kind.is_http(), "batch", HTTP_ONLY);
    let is_skipping = !endpoint.attempt_limit.is_schedule();
    let is_valid = !is_skipping || endpoint.ordering == Ordering::Fifo;
    problems.require(is_valid, "skipAfter", "needs the ordering `fifo`");
}
