//! The task of one consumer: connects to the queue, and again whenever the connection breaks.

use std::{error::Error, sync::Arc, time::Duration};

use postrider::api::ConsumerStatus;
use postrider_core::{catalog::Consumer, outcome::Failure};
use postrider_engine::{Queue, QueueConnector, QueueError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{accept::Instructions, backoff, session::Session, state::State, supervisor::Consumers};
use crate::{auth::Principal, operations::call::Call};

/// How long connecting may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that lasted this long was a good one: the next failure is the first one again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Reads the queue of one consumer.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) consumers: Consumers,
    pub(super) consumer: Consumer,
    pub(super) principal: Arc<Principal>,
    pub(super) state: Arc<State>,
    pub(super) stop: CancellationToken,
}

/// What reading needs, in addition to the reader.
struct Prepared<'a> {
    instructions: Instructions,
    connector: &'a Arc<dyn QueueConnector>,
}

impl Reader {
    /// Reads until it is stopped.
    pub(super) async fn run(self) {
        let prepared = match self.prepare() {
            Ok(prepared) => prepared,
            // Only a change of the consumer helps, and starts the task again.
            Err(reason) => {
                self.set(ConsumerStatus::Failing, Some(reason));
                return self.stop.cancelled().await;
            },
        };
        let partitions = Arc::new(self.call().engine().partitions(self.consumer.id));
        let (name, mut failures) = (self.name(), 0);
        loop {
            let config = Arc::clone(&prepared.instructions.config);
            let opening = prepared.connector.open(config, &name, partitions.clone());
            let opened = tokio::select! {
                () = self.stop.cancelled() => break,
                opened = timeout(OPEN_TIMEOUT, opening) => opened,
            };
            let opened_at = Instant::now();
            let read = match opened.unwrap_or_else(|_| Err(timed_out("connecting"))) {
                Ok(queue) => self.read(queue, &prepared.instructions).await,
                Err(error) => Err(error),
            };
            let Err(error) = read else { break };
            failures = if opened_at.elapsed() > STABLE_AFTER { 1 } else { failures + 1 };
            self.report(&error);
            let delay = backoff::reconnect(failures, self.call().engine().clock().jitter());
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(delay) => {},
            }
        }
        if let Err(error) = partitions.release().await {
            tracing::warn!(consumer = %self.consumer.id, %error, "partitions were not released");
        }
    }

    fn prepare(&self) -> Result<Prepared<'_>, String> {
        let instructions =
            Instructions::of(&self.call(), &self.consumer).map_err(|error| error.to_string())?;
        let kind = self.consumer.kind;
        let connector = self.consumers.hub().connector(kind).ok_or_else(|| {
            format!("`{kind}` is not part of this build of the server; install one with all kinds")
        })?;
        Ok(Prepared { instructions, connector })
    }

    async fn read(
        &self,
        queue: Box<dyn Queue>,
        instructions: &Instructions,
    ) -> Result<(), QueueError> {
        self.set(ConsumerStatus::Connected, None);
        let read = Session::new(self, queue, instructions).run().await;
        self.state.set_in_flight(0);
        read
    }

    /// The name under which brokers know the consumer.
    fn name(&self) -> String {
        self.consumer.uid.as_ref().map_or_else(|| self.consumer.id.to_string(), ToString::to_string)
    }

    fn report(&self, error: &QueueError) {
        let was_failing = self.state.snapshot().status == ConsumerStatus::Failing;
        if !was_failing {
            let consumer = self.consumer.id;
            let error = error as &dyn Error;
            tracing::warn!(%consumer, error, "a queue cannot be read; it is tried again");
        }
        self.set(ConsumerStatus::Failing, Some(error.reason.clone()));
    }

    pub(super) fn set(&self, status: ConsumerStatus, reason: Option<String>) {
        self.state.set(status, reason, self.call().now);
    }

    pub(super) fn call(&self) -> Call {
        self.consumers.operations.own_call(&self.principal)
    }
}

/// The queue did not respond in time.
pub(super) fn timed_out(what: &str) -> QueueError {
    QueueError {
        failure: Failure::Timeout,
        reason: format!(
            "{what} took too long; check that the broker is reachable and not overloaded"
        ),
    }
}
