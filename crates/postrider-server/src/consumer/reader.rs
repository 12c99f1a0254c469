//! The task of one consumer: connects to the queue, and again whenever the connection breaks.

use std::{error::Error, sync::Arc, time::Duration};

use postrider::api::ConsumerStatus;
use postrider_engine::{Queue, QueueConnector, QueueError};
use tokio::time::{Instant, timeout};

use super::{
    accept::Instructions,
    backoff,
    context::{Context, timed_out},
    session::Session,
};

/// How long connecting may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that lasted this long was a good one: the next failure is the first one again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Reads the queue of one consumer.
#[derive(Debug)]
pub(super) struct Reader(pub(super) Context);

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
                self.0.set(ConsumerStatus::Failing, Some(reason));
                return self.0.stop.cancelled().await;
            },
        };
        let partitions = Arc::new(self.0.call().engine().partitions(self.0.consumer.id));
        let (name, mut failures) = (self.0.name(), 0);
        loop {
            let config = Arc::clone(&prepared.instructions.config);
            let opening = prepared.connector.open(config, &name, partitions.clone());
            let opened = tokio::select! {
                () = self.0.stop.cancelled() => break,
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
            let delay = backoff::reconnect(failures, self.0.call().engine().clock().jitter());
            tokio::select! {
                () = self.0.stop.cancelled() => break,
                () = tokio::time::sleep(delay) => {},
            }
        }
        if let Err(error) = partitions.release().await {
            tracing::warn!(consumer = %self.0.consumer.id, %error, "partitions were not released");
        }
    }

    fn prepare(&self) -> Result<Prepared<'_>, String> {
        let instructions = Instructions::of(&self.0.call(), &self.0.consumer)
            .map_err(|error| error.to_string())?;
        let kind = self.0.consumer.kind;
        let connector =
            self.0.operations.resources().consumers.connector(kind).ok_or_else(|| {
                format!(
                    "`{kind}` is not part of this build of the server; install one with all kinds"
                )
            })?;
        Ok(Prepared { instructions, connector })
    }

    async fn read(
        &self,
        queue: Box<dyn Queue>,
        instructions: &Instructions,
    ) -> Result<(), QueueError> {
        self.0.set(ConsumerStatus::Connected, None);
        let read = Session::new(&self.0, queue, instructions).run().await;
        self.0.state.set_in_flight(0);
        read
    }

    fn report(&self, error: &QueueError) {
        let was_failing = self.0.state.snapshot().status == ConsumerStatus::Failing;
        if !was_failing {
            let consumer = self.0.consumer.id;
            let error = error as &dyn Error;
            tracing::warn!(%consumer, error, "a queue cannot be read; it is tried again");
        }
        self.0.set(ConsumerStatus::Failing, Some(error.reason.clone()));
    }
}
