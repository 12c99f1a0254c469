//! Reads one connection to a queue: receives, publishes, acknowledges.

use futures_util::future::join_all;
use postrider::api::ConsumerStatus;
use postrider_engine::{Queue, QueueError};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    accept::Instructions,
    context::{ACKNOWLEDGE_TIMEOUT, Context, timed_out},
    parked::{Parked, Pending, Reason},
    publish::{Step, publish},
};

/// One connection to a queue.
pub(super) struct Session<'a> {
    context: &'a Context,
    queue: Box<dyn Queue>,
    instructions: &'a Instructions,
    parked: Parked,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        context: &'a Context,
        queue: Box<dyn Queue>,
        instructions: &'a Instructions,
    ) -> Self {
        Self { context, queue, instructions, parked: Parked::default() }
    }

    /// Reads until the consumer is stopped, or the connection breaks.
    pub(super) async fn run(mut self) -> Result<(), QueueError> {
        loop {
            let due = self.parked.take_due(Instant::now());
            let batch = if due.is_empty() { self.receive().await? } else { Some(due) };
            let Some(batch) = batch else { break };
            self.process(batch).await?;
        }
        let rest = self.parked.take_all();
        self.give_back(&rest).await
    }

    /// Waits for messages, or until a parked one is due. `None` if the consumer is stopped.
    async fn receive(&mut self) -> Result<Option<Vec<Pending>>, QueueError> {
        let most = self.context.consumer.max_in_flight as usize;
        let room =
            if self.parked.is_blocked() { 0 } else { most.saturating_sub(self.parked.len()) };
        let due_at = self.parked.next_due();
        let wait = async {
            match due_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let queue = &mut self.queue;
        let receive = async {
            if room == 0 { std::future::pending().await } else { queue.receive(room).await }
        };
        let received = tokio::select! {
            () = self.context.stop.cancelled() => return Ok(None),
            received = receive => received?,
            () = wait => Vec::new(),
        };
        if !received.is_empty() {
            self.context.state.received(self.context.call().now);
        }
        let received_at = Instant::now();
        let fresh = |message| Pending { message, received_at, attempts: 0 };
        Ok(Some(received.into_iter().map(fresh).collect()))
    }

    /// Publishes messages at the same time, so that they share the commits of the store, and
    /// acknowledges those that are durable.
    async fn process(&mut self, batch: Vec<Pending>) -> Result<(), QueueError> {
        self.context.state.set_in_flight(batch.len() + self.parked.len());
        let steps =
            join_all(batch.into_iter().map(|it| publish(self.context, self.instructions, it)))
                .await;
        let mut durable = Vec::new();
        let mut waits_because = None;
        for step in steps {
            match step {
                Step::Acknowledge(receipt) => durable.push(receipt),
                Step::Park { pending, delay, reason, words } => {
                    if reason != Reason::Refused {
                        waits_because.get_or_insert(words);
                    }
                    self.parked.push(pending, Instant::now() + delay, reason);
                },
            }
        }
        if !durable.is_empty() {
            let acknowledged = timeout(ACKNOWLEDGE_TIMEOUT, self.queue.acknowledge(&durable)).await;
            acknowledged.unwrap_or_else(|_| Err(timed_out("acknowledging messages")))?;
        }
        let overdue = self.parked.take_overdue(Instant::now());
        self.give_back(&overdue).await?;
        self.show(waits_because);
        Ok(())
    }

    fn show(&self, waits_because: Option<String>) {
        let Context { state, .. } = self.context;
        state.set_in_flight(self.parked.len());
        if waits_because.is_some() {
            self.context.set(ConsumerStatus::Waiting, waits_because);
        } else if !self.parked.waits_for_server() {
            self.context.set(ConsumerStatus::Connected, None);
        }
    }

    async fn give_back(&mut self, pending: &[Pending]) -> Result<(), QueueError> {
        if pending.is_empty() {
            return Ok(());
        }
        let receipts: Vec<_> = pending.iter().map(|it| it.message.receipt.clone()).collect();
        let given_back = timeout(ACKNOWLEDGE_TIMEOUT, self.queue.give_back(&receipts)).await;
        given_back.unwrap_or_else(|_| Err(timed_out("giving messages back")))
    }
}
