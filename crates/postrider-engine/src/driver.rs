//! Owns a dispatcher and everything that is in memory of its shard's applications.
//!
//! A driver is one task. It takes commands, hands messages to the store in batches, lets
//! the dispatcher choose what leaves, hears how calls ended, and settles them in batches.
//! At any time at most one append, one settle, one claim and one release are under way, so
//! a batch closes when the one before it has ended: the slower the store, the larger the
//! batches. Nothing here waits: all I/O is a future that the loop selects over.

mod append;
mod claim;
mod routes;
mod settle;
mod tenure;

pub(crate) use settle::Told;

use std::{
    collections::HashSet,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    dispatch::{self, Dispatcher},
    message::Message,
    time::Timestamp,
};
use postrider_store::{AppendOutcome, NodeLease, Shard, StoreError};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    append::Appending,
    claim::Claiming,
    routes::Routes,
    settle::{Disabling, Settling},
};
use crate::{
    Entry, SubmitError,
    directory::Route,
    engine::Shared,
    running,
    sender::{Call, Report, Sender},
};

/// What a driver is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Submit(Box<Submit>),
    /// The application is as in `entry` now, or gone.
    Changed {
        application: ApplicationId,
        entry: Option<Arc<Entry>>,
        done: oneshot::Sender<()>,
    },
    /// The deliveries of this message of the application have ended in the store.
    Forget(ApplicationId, MessageId),
    /// Look for due deliveries at once.
    Wake,
    /// Which applications have lanes.
    Applications(oneshot::Sender<HashSet<ApplicationId>>),
}

/// A message to be made durable, and who waits for it.
#[derive(Debug)]
pub(crate) struct Submit {
    pub message: Arc<Message>,
    pub entry: Arc<Entry>,
    pub targets: Vec<EndpointId>,
    pub idempotency: Option<[u8; 32]>,
    pub reply: oneshot::Sender<Result<AppendOutcome, SubmitError>>,
}

/// A call that ended.
#[derive(Debug)]
struct Finished {
    id: DeliveryId,
    /// Made when the call began.
    attempt: AttemptId,
    report: Report,
}

/// A store call under way.
type Pending<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Shortest sleep.
const TICK: Duration = Duration::from_millis(1);

/// Wait before what the store did not take back is offered again.
const PAUSE: Duration = Duration::from_millis(500);

/// Commands taken between two looks at everything else.
const BURST: usize = 256;

/// Drives one shard; [`Driver::run`] is its life.
pub struct Driver {
    shared: Arc<Shared>,
    sender: Arc<dyn Sender>,
    shard: Shard,
    inbox: mpsc::Receiver<Command>,
    dispatcher: Dispatcher<Arc<Message>>,
    routes: Routes,
    attempts: JoinSet<Finished>,
    chores: JoinSet<Disabling>,
    appending: Appending,
    settling: Settling,
    claiming: Claiming,
    releasing: Pending<Result<(), StoreError>>,
    returned: Vec<(Delivery, Timestamp)>,
    /// What the release under way gives back.
    returning: Vec<(Delivery, Timestamp)>,
    /// No release before, after one that failed.
    release_at: Timestamp,
    /// What is given back may be back already: a claim that takes it again must not meet it.
    is_release_doubtful: bool,
    tenure: NodeLease,
    is_stopping: bool,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sender: Arc<dyn Sender>,
        shard: Shard,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        let limits = &shared.settings.limits;
        let dispatcher = Dispatcher::new(dispatch::Limits {
            held: limits.held,
            held_bytes: limits.held_bytes,
            held_per_endpoint: limits.held_per_endpoint,
            in_flight: limits.in_flight,
            patience: limits.lease / 2,
        });
        Self {
            sender,
            shard,
            inbox,
            dispatcher,
            routes: Routes::default(),
            attempts: JoinSet::new(),
            chores: JoinSet::new(),
            appending: Appending::default(),
            settling: Settling::default(),
            claiming: Claiming::default(),
            releasing: None,
            returned: Vec::new(),
            returning: Vec::new(),
            release_at: Timestamp::default(),
            is_release_doubtful: false,
            tenure: shared.store.node_lease(),
            is_stopping: false,
            shared,
        }
    }

    /// Runs until `stop` is cancelled and all that is under way has been settled, or
    /// `grace` has passed since.
    pub async fn run(mut self, stop: CancellationToken, grace: Duration) {
        while !stop.is_cancelled() {
            self.turn(&stop).await;
        }
        self.is_stopping = true;
        self.refuse_submissions();
        let now = self.shared.clock.now();
        self.give_back_all(now);
        let end = self.shared.clock.instant(now + grace);
        let wind_down = async {
            while !self.is_idle() {
                self.turn(&CancellationToken::new()).await;
            }
        };
        if tokio::time::timeout_at(end, wind_down).await.is_err() {
            tracing::warn!(
                in_flight = self.dispatcher.in_flight(),
                "attempts under way were cut off; they will be repeated after the next start"
            );
        }
    }

    /// Does all that can be done now, then waits for something to happen.
    async fn turn(&mut self, stop: &CancellationToken) {
        self.act();
        let wake = self.shared.clock.instant(self.next_wake());
        let timer = tokio::time::sleep_until(wake);
        tokio::select! {
            biased;
            () = stop.cancelled() => {},
            () = poll_fn(|ctx| self.poll_news(ctx)) => {},
            () = timer => {},
        }
    }

    /// Takes in everything that has happened. All of it each time: under load there is always
    /// something from everywhere, and whoever came first in a list would starve the others.
    fn poll_news(&mut self, ctx: &mut Context<'_>) -> Poll<()> {
        let mut is_new = self.poll_attempts(ctx);
        if let Poll::Ready(result) = ready(&mut self.appending.pending, ctx) {
            self.appended(result);
            is_new = true;
        }
        if let Poll::Ready(result) = ready(&mut self.settling.pending, ctx) {
            self.settled(result);
            is_new = true;
        }
        if let Poll::Ready(result) = ready(&mut self.claiming.pending, ctx) {
            self.claimed(result);
            is_new = true;
        }
        if let Poll::Ready(result) = ready(&mut self.releasing, ctx) {
            self.released(result);
            is_new = true;
        }
        if let Poll::Ready(Some(ended)) = self.chores.poll_join_next(ctx) {
            self.disabled(ended.expect("a chore's panic is caught"));
            is_new = true;
        }
        is_new |= self.poll_inbox(ctx);
        if is_new { Poll::Ready(()) } else { Poll::Pending }
    }

    fn poll_attempts(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut is_new = false;
        while let Poll::Ready(Some(finished)) = self.attempts.poll_join_next(ctx) {
            self.finish(finished.expect("a sender's panic is caught"));
            is_new = true;
        }
        is_new
    }

    fn poll_inbox(&mut self, ctx: &mut Context<'_>) -> bool {
        let mut is_new = false;
        for _ in 0..BURST {
            let Poll::Ready(Some(command)) = self.inbox.poll_recv(ctx) else { break };
            self.command(command);
            is_new = true;
        }
        is_new
    }

    /// Starts everything that is due.
    fn act(&mut self) {
        let now = self.shared.clock.now();
        self.keep_tenure();
        self.append(now);
        self.send(now);
        self.settle(now);
        self.release(now);
        self.claim(now);
        let metrics = &self.shared.metrics;
        metrics.held_deliveries.set(self.dispatcher.held().try_into().unwrap_or(i64::MAX));
        metrics.in_flight_attempts.set(self.dispatcher.in_flight().try_into().unwrap_or(i64::MAX));
        metrics.node_lease_valid.set(self.is_tenured(now).into());
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Submit(submit) => self.appending.queue.push_back(submit),
            Command::Changed { application, entry, done } => {
                // Two changes may come in another order than they were made in.
                let known = self.shared.directory.known(application);
                self.reconfigure(application, known.or(entry).as_deref());
                // Whoever asked may have gone.
                done.send(()).ok();
            },
            Command::Forget(application, message) => {
                for endpoint in self.routes.of(application) {
                    self.dispatcher.forget(endpoint, message);
                }
            },
            Command::Wake => self.claiming.hurry(),
            Command::Applications(reply) => {
                // Whoever asked may have gone.
                drop(reply.send(self.routes.applications()));
            },
        }
    }

    /// Sends what may leave.
    fn send(&mut self, now: Timestamp) {
        let limits = &self.shared.settings.limits;
        if !self.is_tenured(now) || self.settling.is_full(limits.unsettled) {
            return;
        }
        while let Some((delivery, message)) = self.dispatcher.poll(now) {
            let id = delivery.id;
            let route = self.routes.get(id.endpoint).expect("a lane has a route");
            let prepared = Arc::clone(&route.prepared);
            let body = message.body.clone().unwrap_or_default();
            if delivery.attempt == 1 {
                let delay = now.since(message.created_at());
                self.shared.metrics.first_attempt_delay.observe(delay.as_secs_f64());
            }
            let sender = Arc::clone(&self.sender);
            let attempt = self.shared.clock.attempt_id();
            let call = Call { prepared, message, body, at: now };
            self.attempts.spawn(async move {
                let sent = AssertUnwindSafe(sender.send(call)).catch_unwind().await;
                let report =
                    sent.unwrap_or_else(|panic| Report::panicked(&running::text_of(&*panic)));
                Finished { id, attempt, report }
            });
        }
    }

    /// Makes the lanes follow a change of their application.
    fn reconfigure(&mut self, application: ApplicationId, entry: Option<&Entry>) {
        let routes = |id: &EndpointId| {
            let route = entry?.routes.get(id)?;
            (!route.endpoint.disabled).then_some(route)
        };
        for endpoint in self.routes.of(application) {
            match routes(&endpoint) {
                Some(route) => self.configure(entry.expect("it has a route"), route),
                None => self.dispatcher.close(endpoint),
            }
        }
    }

    /// Gives an endpoint a lane, if it has none and may be called. What the directory knows
    /// now counts for more than `entry`: a change may have overtaken whoever looked it up,
    /// and a lane keeps the route that it was made with. Where that cannot be told any more,
    /// there is no lane: the store has the delivery, and a claim reads the application again.
    fn ensure_lane(&mut self, entry: &Arc<Entry>, endpoint: EndpointId) -> bool {
        if self.dispatcher.has_open_lane(endpoint) {
            return true;
        }
        let Some(entry) = self.shared.directory.current(entry) else { return false };
        let route = entry.routes.get(&endpoint).filter(|it| !it.endpoint.disabled);
        if let Some(route) = route {
            self.configure(&entry, route);
        }
        route.is_some()
    }

    fn configure(&mut self, entry: &Entry, route: &Route) {
        let settings = &self.shared.settings;
        let policy = dispatch::Policy {
            application: entry.application.id,
            max_in_flight: settings.limits.in_flight_per_endpoint,
            rate: route.endpoint.throttle_rate,
            order: self.shared.delivery_order(&route.endpoint, None),
            breaker: settings.breaker,
            schedule: settings.schedule.clone(),
            disable_after: settings.disable_endpoint_after,
        };
        let id = route.endpoint.id;
        self.dispatcher.configure_group(entry.application.id, entry.application.throttle_rate);
        self.dispatcher.configure(id, policy, route.failing_since);
        self.routes.insert(route.clone());
    }

    /// Gives deliveries back whose lanes rest, or that have waited too long.
    fn release(&mut self, now: Timestamp) {
        let returns = self.dispatcher.returns(now);
        self.returned.extend(returns.into_iter().map(|delivery| (delivery, now)));
        if self.routes.len() > 2 * self.dispatcher.lane_count() + 64 {
            self.routes.retain(|id| self.dispatcher.has_lane(id));
        }
        let meets_claim = self.is_release_doubtful && self.claiming.pending.is_some();
        let is_due = !meets_claim && (self.is_stopping || self.release_at <= now);
        if self.releasing.is_none() && !self.returned.is_empty() && is_due {
            let batch = std::mem::take(&mut self.returned);
            self.returning.clone_from(&batch);
            let store = Arc::clone(&self.shared.store);
            self.releasing = Some(Box::pin(async move { store.release(batch).await }));
        }
    }

    fn released(&mut self, result: Result<(), StoreError>) {
        let now = self.shared.clock.now();
        let given_back = std::mem::take(&mut self.returning);
        self.is_release_doubtful = false;
        if let Err(error) = result {
            self.shared.store_failed("release", &error);
            let is_many = self.returned.len() >= self.shared.settings.limits.held;
            if !self.is_stopping && !is_many {
                self.release_at = now + PAUSE;
                self.is_release_doubtful = !given_back.is_empty();
                return self.returned.extend(given_back);
            }
            // Their leases run out by themselves.
        }
        for (delivery, _) in given_back {
            self.dispatcher.settled(delivery.id, now);
        }
    }

    fn refuse_submissions(&mut self) {
        self.inbox.close();
        while let Ok(command) = self.inbox.try_recv() {
            if let Command::Submit(submit) = command {
                // Whoever submitted may have gone.
                drop(submit.reply.send(Err(SubmitError::Stopping)));
            }
        }
    }

    fn give_back_all(&mut self, now: Timestamp) {
        let returns = self.dispatcher.drain();
        self.returned.extend(returns.into_iter().map(|delivery| (delivery, now)));
    }

    fn is_idle(&self) -> bool {
        self.appending.is_idle()
            && self.settling.is_idle()
            && self.releasing.is_none()
            && self.returned.is_empty()
            && self.attempts.is_empty()
            && self.chores.is_empty()
    }

    /// When to look again if nothing happens before.
    fn next_wake(&self) -> Timestamp {
        let now = self.shared.clock.now();
        let is_tenured = self.is_tenured(now);
        let dispatch = self.dispatcher.deadline().filter(|_| is_tenured).unwrap_or(Timestamp::MAX);
        let limits = &self.shared.settings.limits;
        let settle = self.settling.deadline(limits.settle_linger);
        let is_barred = self.is_stopping || self.is_release_doubtful || !is_tenured;
        let free = if is_barred { 0 } else { self.dispatcher.free() };
        let claim = self.claiming.deadline(free);
        // Whatever is due and cannot be done yet is looked at again soon, not at once.
        (now + limits.poll).min(dispatch).min(settle).min(claim).max(now + TICK)
    }
}

/// The result of a store call, once it is there.
fn ready<T>(pending: &mut Pending<T>, ctx: &mut Context<'_>) -> Poll<T> {
    let Some(future) = pending else { return Poll::Pending };
    let result = std::task::ready!(future.as_mut().poll(ctx));
    *pending = None;
    Poll::Ready(result)
}

/// Shortest time between two lines in the log about failed store calls: a store that is away
/// fails thousands of times a second.
const QUIET: Duration = Duration::from_secs(1);

impl Shared {
    /// Counts a failed store call, and logs it unless another was logged a moment ago.
    pub(crate) fn store_failed(&self, call: &'static str, error: &StoreError) {
        self.metrics.store_errors.inc();
        if matches!(error, StoreError::Unavailable(_) | StoreError::Full(_)) {
            self.metrics.store_reachable.set(0);
        }
        let now = self.clock.now();
        let last = self.failed_at.swap(now.as_millis(), Ordering::Relaxed);
        if now.since(Timestamp::from_millis(last)) >= QUIET {
            tracing::error!(call, error = %Chain(error), "store call failed");
        } else {
            self.failed_at.store(last, Ordering::Relaxed);
        }
    }
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(it) = cause {
            write!(f, ": {it}")?;
            cause = it.source();
        }
        Ok(())
    }
}
