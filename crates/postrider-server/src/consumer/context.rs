//! A consumer while its task runs.

use std::{sync::Arc, time::Duration};

use postrider::api::ConsumerStatus;
use postrider_core::{catalog::Consumer, outcome::Failure};
use postrider_engine::QueueError;
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::{
    auth::Principal,
    operations::{call::Call, handle::Operations},
};

/// How long acknowledging, or giving back, may take.
pub(super) const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);

/// A consumer, and what its task works with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) operations: Operations,
    pub(super) consumer: Consumer,
    pub(super) principal: Arc<Principal>,
    pub(super) state: Arc<State>,
    pub(super) stop: CancellationToken,
}

impl Context {
    /// The name under which brokers know the consumer.
    pub(super) fn name(&self) -> String {
        self.consumer.uid.as_ref().map_or_else(|| self.consumer.id.to_string(), ToString::to_string)
    }

    pub(super) fn set(&self, status: ConsumerStatus, reason: Option<String>) {
        self.state.set(status, reason, self.call().now);
    }

    pub(super) fn call(&self) -> Call {
        self.operations.own_call(&self.principal, "consumer")
    }
}

/// The queue did not respond in time.
pub(super) fn timed_out(what: &str) -> QueueError {
    let reason =
        format!("{what} took too long; check that the broker is reachable and not overloaded");
    QueueError { failure: Failure::Timeout, reason }
}
