//! Runs one shard: carries out what the dispatcher decides.
//!
//! A driver is one task. It takes commands, starts the calls and store operations that its
//! [`Dispatcher`](postrider_core::dispatch::Dispatcher) asks for, and reports their results back
//! to it. At most one append, one settle, one claim and one release are in flight, so a batch
//! collects until the one before it has ended: the slower the store, the larger the batches.
//! Nothing here blocks: all I/O is in futures that the driver polls together.

mod append;
mod call;
mod claim;
mod disable;
mod in_flight;
mod lanes;
mod release;
mod settle;
mod weight;

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use postrider_core::{
    delivery::DeliveryId,
    dispatch::{Action, Config, Counts, Input, Lease},
    message::Message,
    time::Timestamp,
};
use postrider_store::{Shard, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{
    append::Appender,
    call::Caller,
    claim::Claimer,
    disable::Disabler,
    lanes::{Dispatcher, LaneConfigurator},
    release::Releaser,
    settle::Settler,
};
use crate::{
    clock::Clock,
    command::Command,
    components::Components,
    directory::Route,
    limits::Limits,
    metrics::{AttemptLabels, AttemptResult, Metrics, signed},
    settings::Settings,
    submission::SubmitError,
};

/// Shortest sleep. What is due but cannot start yet is looked at again after this time, not at
/// once.
const MIN_SLEEP: Duration = Duration::from_millis(1);

/// Most commands that are taken before everything else is looked at.
const BURST: usize = 256;

/// Runs one shard.
pub struct Driver {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    shown: Shown,
    shard: Shard,
    inbox: mpsc::Receiver<Command>,
    dispatcher: Dispatcher,
    lanes: LaneConfigurator,
    appender: Appender,
    caller: Caller,
    claimer: Claimer,
    settler: Settler,
    releaser: Releaser,
    disabler: Disabler,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("shard", &self.shard).finish_non_exhaustive()
    }
}

/// What the driver has added to gauges.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    held: i64,
    in_flight: i64,
}

impl Driver {
    pub(crate) fn new(
        components: &Components,
        shard: Shard,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        let lease = lease(&*components.store);
        Self {
            store: Arc::clone(&components.store),
            clock: Arc::clone(&components.clock),
            metrics: Arc::clone(&components.metrics),
            shown: Shown::default(),
            shard,
            inbox,
            dispatcher: Dispatcher::new(config(&components.settings), lease),
            lanes: LaneConfigurator::new(components),
            appender: Appender::new(components),
            caller: Caller::new(components),
            claimer: Claimer::new(components, shard),
            settler: Settler::new(components),
            releaser: Releaser::new(components),
            disabler: Disabler::new(components),
        }
    }

    /// Runs until `stop` is cancelled and everything in flight has been settled, or `grace` has
    /// passed since.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) {
        while !stop.is_cancelled() {
            self.step(&stop).await;
        }
        self.refuse_submissions();
        let now = self.clock.now();
        self.dispatcher.handle(Input::Stop, now);
        let end = self.clock.instant(now + grace);
        let wind_down = async {
            while !self.is_idle() {
                self.step(&CancellationToken::new()).await;
            }
        };
        if tokio::time::timeout_at(end, wind_down).await.is_err() {
            tracing::warn!(
                in_flight = self.dispatcher.in_flight(),
                "attempts in flight were cut off; they are repeated after the next start"
            );
        }
    }

    /// Starts everything that can be started now, then waits for something to happen.
    async fn step(&mut self, stop: &CancellationToken) {
        self.act();
        let now = self.clock.now();
        let wake_at = self.dispatcher.deadline(now).max(now + MIN_SLEEP);
        let timer = tokio::time::sleep_until(self.clock.instant(wake_at));
        tokio::select! {
            biased;
            () = stop.cancelled() => {},
            () = poll_fn(|ctx| self.poll_events(ctx)) => {},
            () = timer => {},
        }
    }

    /// Starts everything that is due.
    fn act(&mut self) {
        let now = self.clock.now();
        self.read_lease(now);
        self.appender.start(&mut self.dispatcher, &self.lanes, now);
        while let Some(action) = self.dispatcher.poll(now) {
            self.start(action, now);
        }
        self.measure(now);
    }

    fn start(&mut self, action: Action<Route, Arc<Message>>, now: Timestamp) {
        match action {
            Action::Send(call) => self.caller.start(call, now),
            Action::Settle(batch) => self.settler.start(batch, now),
            Action::RetrySettle => self.settler.retry(now),
            Action::Release(deliveries) => self.releaser.start(deliveries),
            Action::Claim(request) => self.claimer.start(request, now),
            Action::Disable(context) => self.disabler.start(context),
        }
    }

    /// Takes in everything that has happened. It takes from all sources each time: under load
    /// every source always has something, and the first one in a list would starve the others.
    fn poll_events(&mut self, ctx: &mut Context<'_>) -> Poll<()> {
        let mut has_event = self.poll_calls(ctx);
        if let Poll::Ready(result) = self.appender.poll(ctx) {
            let now = self.clock.now();
            // The lease may have changed while the batch was in flight.
            self.read_lease(now);
            self.appender.finish(result, &mut self.dispatcher, now);
            has_event = true;
        }
        if let Poll::Ready(result) = self.settler.poll(ctx) {
            self.settler.finish(result, &mut self.dispatcher, self.clock.now());
            has_event = true;
        }
        if let Poll::Ready(result) = self.claimer.poll(ctx) {
            let now = self.clock.now();
            self.read_lease(now);
            self.claimer.finish(result, &mut self.dispatcher, &self.lanes, now);
            has_event = true;
        }
        if let Poll::Ready(result) = self.releaser.poll(ctx) {
            self.releaser.finish(result, &mut self.dispatcher, self.clock.now());
            has_event = true;
        }
        if let Poll::Ready(disabled) = self.disabler.poll(ctx) {
            Disabler::finish(disabled, &mut self.dispatcher, self.clock.now());
            has_event = true;
        }
        has_event |= self.poll_inbox(ctx);
        if has_event { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_calls(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut has_event = false;
        while let Poll::Ready(call) = self.caller.poll(ctx) {
            self.caller.finish(call, &mut self.dispatcher, self.clock.now());
            has_event = true;
        }
        has_event
    }

    fn poll_inbox(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut has_event = false;
        for _ in 0..BURST {
            let Poll::Ready(Some(command)) = self.inbox.poll_recv(ctx) else { break };
            self.command(command);
            has_event = true;
        }
        has_event
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Submit(submit) => self.appender.push(submit),
            Command::Changed { application, entry, done } => {
                self.lanes.follow(&mut self.dispatcher, application, entry, now);
                // The caller may have gone.
                done.send(()).ok();
            },
            Command::Forget(application, message, only) => {
                let all = || self.dispatcher.endpoints_of(application);
                for endpoint in only.map_or_else(all, |it| vec![it]) {
                    self.dispatcher.handle(Input::Forget(DeliveryId { endpoint, message }), now);
                }
            },
            Command::Wake => self.dispatcher.handle(Input::DueNow, now),
            Command::Lanes(of, reply) => {
                // The caller may have gone.
                drop(reply.send(self.dispatcher.lane_states(of, now)));
            },
            Command::Applications(reply) => {
                // The caller may have gone.
                drop(reply.send(self.dispatcher.applications()));
            },
        }
    }

    fn read_lease(&mut self, now: Timestamp) {
        self.dispatcher.handle(Input::Lease(lease(&*self.store)), now);
    }

    fn measure(&mut self, now: Timestamp) {
        let metrics = &self.metrics;
        // The gauges are those of all shards, so each adds what has changed.
        let held = signed(self.dispatcher.held() as u64);
        let in_flight = signed(self.dispatcher.in_flight() as u64);
        metrics.held_deliveries.inc_by(held - self.shown.held);
        metrics.in_flight_attempts.inc_by(in_flight - self.shown.in_flight);
        self.shown = Shown { held, in_flight };
        metrics.node_lease_valid.set(self.dispatcher.has_valid_lease(now).into());
        let Counts { delivered, retried, failed, lost } = self.dispatcher.take_counts();
        let attempts = [
            (AttemptResult::Delivered, delivered),
            (AttemptResult::Retried, retried),
            (AttemptResult::Failed, failed),
        ];
        for (result, count) in attempts.into_iter().filter(|(_, count)| *count > 0) {
            metrics.attempts.get_or_create(&AttemptLabels { result }).inc_by(count);
        }
        metrics.lost_deliveries.inc_by(lost);
    }

    fn refuse_submissions(&mut self) {
        self.inbox.close();
        while let Ok(command) = self.inbox.try_recv() {
            if let Command::Submit(submit) = command {
                // The caller may have gone.
                drop(submit.reply.send(Err(SubmitError::Stopping)));
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.appender.is_idle() && self.caller.is_idle() && self.dispatcher.is_idle()
    }
}

fn lease(store: &dyn Store) -> Lease {
    let lease = store.node_lease();
    Lease { epoch: lease.epoch, valid_until: lease.valid_until }
}

fn config(settings: &Settings) -> Config {
    let Limits { held, held_bytes, held_per_endpoint, in_flight, unsettled, .. } = settings.limits;
    Config {
        held,
        held_bytes,
        held_per_endpoint,
        in_flight,
        patience: settings.limits.lease / 2,
        claim_interval: settings.limits.poll,
        settle_batch: settings.limits.batch,
        settle_linger: settings.limits.settle_linger,
        unsettled,
    }
}
