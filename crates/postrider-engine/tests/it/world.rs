//! An engine, its store, and receivers that behave as the dice say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering as AtomicOrdering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    breaker,
    catalog::{Application, AtRest, BatchLimits, Endpoint, Ordering},
    delivery::{Attempt, Delivery, DeliveryId, Response, Settlement, Status, Trigger},
    message::Format,
    outcome::{Failure, Outcome},
    request::SignatureHeaders,
    retry::{Schedule, Verdict},
    statistics::StatisticsRetention,
    time::Timestamp,
    vault::Vault,
};
use postrider_engine::{
    Call, Clock, Engine, EngineTasks, Limits, Report, Sender, Settings, Submission, SubmitError,
};
use postrider_store::{
    Deliveries, DeliveriesOf, DeliveryFilter, Expected, History, IdOrUid, MemoryStore, Records,
    Retention, Scan, SettleBatch, Store,
};
use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{SECOND, count, coverage::Coverage};

/// How a receiver behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Receiver {
    Good,
    /// Right, after a second.
    Slow,
    Refuses,
    TimesOut,
    /// Right, but the sender itself panics at times.
    Buggy,
    /// Gone until so long after the beginning, and good from then on.
    GoneUntil(Duration),
    /// Wrong, late, busy or right, as the dice say.
    Flaky,
}

/// A small deterministic generator; one seed, one history.
#[derive(Debug)]
pub(crate) struct Dice(pub Mutex<u64>);

impl Dice {
    pub(crate) fn roll(&self, sides: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % sides
    }
}

/// One call: when it began, what it was for, and whether it succeeded.
pub(crate) type Entry = (Duration, DeliveryId, bool);

/// All receivers; which one a call is for stands in its URL.
#[derive(Debug)]
pub(crate) struct Receivers {
    pub dice: Arc<Dice>,
    pub origin: Instant,
    pub behaviors: Vec<(EndpointId, Receiver)>,
    pub seen: Mutex<Vec<Entry>>,
    pub coverage: Arc<Coverage>,
    pub in_flight: AtomicU64,
    /// A receiver responded with a success.
    pub succeeded: Notify,
}

/// A call in progress, which ends with its future.
struct InFlight<'a>(&'a AtomicU64);

impl<'a> InFlight<'a> {
    fn begin(calls: &'a AtomicU64) -> Self {
        calls.fetch_add(1, AtomicOrdering::Relaxed);
        Self(calls)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, AtomicOrdering::Relaxed);
    }
}

#[async_trait]
impl Sender for Receivers {
    async fn send(&self, call: Call) -> Report {
        let began = self.origin.elapsed();
        let index: usize =
            call.target.http().unwrap().url.path().trim_start_matches('/').parse().unwrap();
        let (endpoint, receiver) = self.behaviors[index];
        let (duration, outcome) = self.behave(receiver);
        let in_flight = InFlight::begin(&self.in_flight);
        tokio::time::sleep(duration).await;
        drop(in_flight);
        self.cover(outcome);
        let deliveries = deliveries_of(&call, endpoint);
        if deliveries.len() > 1 {
            self.coverage.count("event: several deliveries in one call");
        }
        for id in deliveries {
            self.seen.lock().unwrap().push((began, id, outcome.delivered()));
        }
        if outcome.delivered() {
            self.succeeded.notify_waiters();
        }
        Report { outcome, response: Response::default(), url: None, address: None, duration }
    }
}

/// The deliveries that a call makes, in order.
pub(crate) fn deliveries_of(call: &Call, endpoint: EndpointId) -> Vec<DeliveryId> {
    let first = call.batch.is_empty().then_some(&call.message);
    let messages = call.batch.iter().chain(first);
    messages.map(|it| DeliveryId { endpoint, message: it.id }).collect()
}

/// Batches of several sizes, or none.
pub(crate) fn random_batch(dice: &Dice) -> Option<BatchLimits> {
    let size = [1, 2, 7, 100][usize::try_from(dice.roll(4)).unwrap()];
    let max_wait_seconds = [0, 1, 20][usize::try_from(dice.roll(3)).unwrap()];
    (dice.roll(3) > 0).then_some(BatchLimits { size, max_wait_seconds })
}

impl Receivers {
    pub(crate) fn is_called(&self) -> bool {
        self.in_flight.load(AtomicOrdering::Relaxed) > 0
    }

    fn cover(&self, outcome: Outcome) {
        let fault = match outcome {
            Outcome::Answered { status: 429, .. } => "fault: response 429",
            Outcome::Answered { status: 500, .. } => "fault: response 500",
            Outcome::Unanswered(Failure::Timeout) => "fault: call timed out",
            Outcome::Answered { .. } | Outcome::Unanswered(_) => return,
        };
        self.coverage.count(fault);
    }

    /// Calls for deliveries that had succeeded before.
    pub(crate) fn repetitions(&self) -> u64 {
        let seen = self.seen.lock().unwrap();
        count(seen.iter().filter(|it| it.2).map(|it| it.1)).values().map(|times| times - 1).sum()
    }

    fn behave(&self, receiver: Receiver) -> (Duration, Outcome) {
        let answered = |status| Outcome::Answered { status, retry_after: None };
        match receiver {
            Receiver::Slow => (SECOND, answered(204)),
            Receiver::Refuses => (SECOND / 1_000, Outcome::Unanswered(Failure::Connect)),
            Receiver::TimesOut => (15 * SECOND, Outcome::Unanswered(Failure::Timeout)),
            Receiver::Buggy => {
                assert!(self.dice.roll(3) > 0, "a bug of the sender");
                (SECOND / 100, answered(200))
            },
            Receiver::GoneUntil(end) if self.origin.elapsed() < end => {
                (SECOND / 100, answered(410))
            },
            Receiver::Good | Receiver::GoneUntil(_) => (SECOND / 100, answered(200)),
            Receiver::Flaky => {
                let outcome = match self.dice.roll(10) {
                    0..=3 => answered(500),
                    4 => Outcome::Unanswered(Failure::Timeout),
                    5 => Outcome::Answered { status: 429, retry_after: Some(5 * SECOND) },
                    _ => answered(200),
                };
                (Duration::from_millis(self.dice.roll(3_000)), outcome)
            },
        }
    }
}

/// An engine, its store and its receivers.
pub(crate) struct World {
    pub dice: Arc<Dice>,
    pub coverage: Arc<Coverage>,
    pub store: Arc<MemoryStore>,
    pub application: ApplicationId,
    pub endpoints: Vec<EndpointId>,
    /// What the next engine is started with.
    pub limits: Limits,
    receivers: Arc<Receivers>,
    vault: Vault,
    seed: u64,
    origin: Instant,
    accepted: BTreeMap<MessageId, Duration>,
    process: Option<Process>,
}

/// A running engine.
struct Process {
    engine: Engine,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl World {
    pub(crate) async fn new(seed: u64, receivers: &[(Receiver, Option<u32>)]) -> Self {
        let dice = Arc::new(Dice(Mutex::new(seed)));
        let origin = Instant::now();
        let store = Arc::new(MemoryStore::default());
        let vault = Vault::new("main");
        let application = ApplicationId::from_u128(1);
        store.save(&example(application), Expected::New).await.unwrap();
        let mut behaviors = Vec::new();
        for (index, &(receiver, rate)) in receivers.iter().enumerate() {
            let endpoint = endpoint(application, index, rate, &vault);
            behaviors.push((endpoint.id, receiver));
            store.save(&endpoint, Expected::New).await.unwrap();
        }
        let endpoints = behaviors.iter().map(|it| it.0).collect();
        let coverage = Arc::new(Coverage::default());
        let receivers = Receivers {
            dice: Arc::clone(&dice),
            origin,
            behaviors,
            seen: Mutex::default(),
            coverage: Arc::clone(&coverage),
            in_flight: AtomicU64::new(0),
            succeeded: Notify::new(),
        };
        Self {
            dice,
            coverage,
            store,
            application,
            endpoints,
            limits: settings().limits,
            receivers: Arc::new(receivers),
            vault,
            seed,
            origin,
            accepted: BTreeMap::new(),
            process: None,
        }
    }

    /// Starts an engine that knows only what is in the store.
    pub(crate) fn start(&mut self) {
        let (engine, parts) = self.open();
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        for driver in parts.drivers {
            tasks.spawn(driver.run(stop.clone(), 30 * SECOND));
        }
        tasks.spawn(parts.maintenance.run(stop.clone()));
        tasks.spawn(parts.listener.run(stop.clone()));
        self.process = Some(Process { engine, tasks, stop });
    }

    /// An engine over the store whose tasks do not run yet.
    pub(crate) fn open(&self) -> (Engine, EngineTasks) {
        let last = self.accepted.keys().last().map_or(0, |it| it.sequence());
        let clock = Clock::simulated(self.seed, last, self.origin);
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let sender = Arc::clone(&self.receivers) as Arc<dyn Sender>;
        let settings = Settings { limits: self.limits, ..settings() };
        Engine::new(store, sender, clock, self.vault.clone(), settings)
    }

    /// Waits for a success, or for so long. With a slow store, it is not settled yet.
    pub(crate) async fn wait_for_success(&self, at_most: Duration) {
        tokio::time::timeout(at_most, self.receivers.succeeded.notified()).await.ok();
    }

    /// Ends the engine like a crash.
    pub(crate) async fn kill(&mut self) {
        self.coverage.count("fault: node killed");
        if self.receivers.is_called() {
            self.coverage.count("event: node killed during a call");
        }
        self.process.take().unwrap().tasks.shutdown().await;
        let (mut unattempted, mut delivered) = (false, 0);
        for index in 0..self.endpoints.len() {
            let statuses = self.statuses(index).await;
            unattempted |= statuses.iter().any(|it| matches!(it, Status::Pending(_)));
            delivered += statuses.iter().filter(|it| **it == Status::Delivered).count();
        }
        if unattempted {
            self.coverage.count("event: node killed before a first attempt");
        }
        if self.successes().len() > delivered {
            self.coverage.count("event: node killed between a response and its settlement");
        }
    }

    /// Ends the history, and returns what it contained.
    pub(crate) async fn finish(&mut self) -> Arc<Coverage> {
        self.stop().await;
        self.coverage.add("fault: store call refused", self.store.refused_calls());
        let repetitions = self.receivers.repetitions();
        self.coverage.add("event: delivery repeated after a success", repetitions);
        Arc::clone(&self.coverage)
    }

    /// Stops the engine normally.
    pub(crate) async fn stop(&mut self) {
        self.coverage.count("event: node stopped");
        let process = self.process.take().unwrap();
        process.stop.cancel();
        process.tasks.join_all().await;
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.process.as_ref().unwrap().engine
    }

    pub(crate) async fn publish(&mut self) {
        self.try_publish().await.unwrap();
    }

    pub(crate) async fn try_publish(&mut self) -> Result<(), SubmitError> {
        let result = self.submit(None).await;
        self.coverage.add("event: publish refused", u64::from(result.is_err()));
        result
    }

    pub(crate) async fn publish_later(&mut self, wait: Duration) {
        let at = self.engine().clock().now() + wait;
        self.submit(Some(at)).await.unwrap();
    }

    /// Disables or enables an endpoint in the store, without notifying the engine.
    pub(crate) async fn disable(&self, index: usize, disabled: bool) {
        if disabled && self.process.is_some() {
            self.coverage.count("event: endpoint disabled under load");
        }
        let endpoint = Endpoint { disabled, ..self.endpoint(index).await };
        self.store.save(&endpoint, Expected::Any).await.unwrap();
    }

    /// Enables an endpoint as the API does.
    pub(crate) async fn enable(&self, index: usize) {
        self.disable(index, false).await;
        self.engine().changed(self.application).await.unwrap();
        self.engine().wake(self.application);
    }

    /// Adds applications without endpoints, and looks them up in turn.
    pub(crate) async fn look_up_others(&self, count: u128) {
        for number in (0..count).cycle().take(200) {
            let id = ApplicationId::from_u128(1_000 + number);
            if self.store.find::<Application>(id).await.unwrap().is_none() {
                self.store.save(&example(id), Expected::New).await.unwrap();
            }
            assert!(self.engine().directory().entry(id).await.unwrap().is_some());
        }
    }

    /// Gives an endpoint the URL of another one in the store, without notifying the engine.
    pub(crate) async fn move_to(&self, index: usize, other: usize) {
        let moved = Endpoint { url: self.endpoint(other).await.url, ..self.endpoint(index).await };
        self.store.save(&moved, Expected::Any).await.unwrap();
    }

    /// Records a success in the store, like another node.
    pub(crate) async fn succeed_elsewhere(&self, index: usize) {
        let id = DeliveryId { endpoint: self.endpoints[index], message: self.last() };
        let delivery = Delivery::first(id, self.application);
        let attempt = Attempt {
            id: AttemptId::from_u128(self.last().as_u128()),
            // A delivery that is not known.
            delivery: DeliveryId { message: MessageId::from_u128(1), ..id },
            number: 1,
            trigger: Trigger::Scheduled,
            at: Timestamp::default(),
            duration: SECOND,
            url: String::new(),
            address: None,
            outcome: Outcome::Answered { status: 200, retry_after: None },
            response: None,
        };
        let delivery = Delivery { id: attempt.delivery, ..delivery };
        let verdict = Verdict::Delivered;
        let settlement = Settlement { delivery, attempt, verdict, failing_since: Some(None) };
        let batch = SettleBatch { settlements: vec![settlement], messages: Vec::new() };
        self.store.settle(Arc::new(batch)).await.unwrap();
    }

    /// Changes the ordering of an endpoint in the store, without notifying the engine.
    pub(crate) async fn order(&self, index: usize, ordering: Ordering) {
        if self.process.is_some() {
            self.coverage.count("event: endpoint changed under load");
        }
        let ordered = Endpoint { ordering, ..self.endpoint(index).await };
        self.store.save(&ordered, Expected::Any).await.unwrap();
    }

    pub(crate) async fn batch(&self, index: usize, batch: Option<BatchLimits>) {
        let batched = Endpoint { batch, ..self.endpoint(index).await };
        self.store.save(&batched, Expected::Any).await.unwrap();
    }

    pub(crate) async fn pause(&self, index: usize, paused: bool) {
        let changed = Endpoint { paused, ..self.endpoint(index).await };
        self.store.save(&changed, Expected::Any).await.unwrap();
    }

    /// The number of messages of each call, in order.
    pub(crate) fn call_sizes(&self) -> Vec<u64> {
        count(self.history().into_iter().map(|(began, ..)| began)).into_values().collect()
    }

    /// Panics if a message was sent before all that were accepted earlier had arrived.
    #[track_caller]
    pub(crate) fn check_order(&self, index: usize) {
        let endpoint = self.endpoints[index];
        let (mut arrived, mut begun) = (BTreeSet::new(), BTreeSet::new());
        // The messages of a batch follow one another in the same call.
        let mut first = MessageId::from_u128(0);
        for (began, id, is_success) in self.history() {
            if id.endpoint == endpoint {
                if begun.insert(began) {
                    first = id.message;
                }
                let missing: Vec<_> =
                    self.accepted.range(..first).filter(|it| !arrived.contains(it.0)).collect();
                assert!(missing.is_empty(), "{began:?}: {id:?} before {missing:?}");
                is_success.then(|| arrived.insert(id.message));
            }
        }
    }

    pub(crate) async fn look_up(&self) -> Arc<postrider_engine::Entry> {
        self.engine().directory().entry(self.application).await.unwrap().unwrap()
    }

    /// Publishes to the application as it was looked up.
    pub(crate) async fn submit_to(&mut self, entry: Arc<postrider_engine::Entry>) {
        self.submit_entry(entry, None).await.unwrap();
    }

    async fn submit(&mut self, deliver_at: Option<Timestamp>) -> Result<(), SubmitError> {
        match self.engine().directory().entry(self.application).await {
            Ok(entry) => self.submit_entry(entry.unwrap(), deliver_at).await,
            Err(error) => Err(SubmitError::Store(Arc::new(error))),
        }
    }

    async fn submit_entry(
        &mut self,
        entry: Arc<postrider_engine::Entry>,
        deliver_at: Option<Timestamp>,
    ) -> Result<(), SubmitError> {
        let engine = self.engine().clone();
        let submitted = engine
            .submit(Submission {
                entry,
                event_type: "user.created".parse().unwrap(),
                event_id: None,
                channels: Vec::new(),
                tags: Vec::new(),
                body: Bytes::from_static(b"{}"),
                format: Format::Json,
                deliver_at,
                body_until: Timestamp::MAX,
                trace: None,
                idempotency: None,
                only: None,
                history: None,
            })
            .await?;
        let postrider_engine::Submitted::Accepted(message) = submitted else { unreachable!() };
        self.accepted.insert(message.id, self.origin.elapsed());
        Ok(())
    }

    pub(crate) async fn limit_application(&self, throttle_rate: Option<u32>) {
        let application = Application { throttle_rate, ..example(self.application) };
        self.store.save(&application, Expected::Any).await.unwrap();
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn drain(&self) {
        for index in 0..self.endpoints.len() {
            for _ in 0..100_000 {
                let statuses = self.statuses(index).await;
                if !statuses.iter().any(|it| matches!(it, Status::Pending(_) | Status::Sending(_)))
                {
                    break;
                }
                tokio::time::sleep(SECOND).await;
            }
        }
    }

    pub(crate) async fn statuses(&self, index: usize) -> Vec<Status> {
        let of = DeliveriesOf::Endpoint(self.application, self.endpoints[index]);
        let scan = Scan { after: None, ascending: true, limit: 100_000 };
        let found = self.store.deliveries(of, DeliveryFilter::default(), scan).await.unwrap();
        found.items.iter().map(|it| it.status).collect()
    }

    pub(crate) async fn endpoint(&self, index: usize) -> Endpoint {
        let named = IdOrUid::Id(self.endpoints[index]);
        self.store.get::<Endpoint>(&self.application, &named).await.unwrap().unwrap()
    }

    pub(crate) fn history(&self) -> Vec<Entry> {
        self.receivers.seen.lock().unwrap().clone()
    }

    /// The message that was published last.
    pub(crate) fn last(&self) -> MessageId {
        *self.accepted.last_key_value().unwrap().0
    }

    pub(crate) fn calls(&self) -> usize {
        self.history().len()
    }

    pub(crate) fn calls_by_endpoint(&self) -> BTreeMap<EndpointId, u64> {
        count(self.history().iter().map(|it| it.1.endpoint))
    }

    /// How often each delivery succeeded.
    pub(crate) fn successes(&self) -> BTreeMap<DeliveryId, u64> {
        count(self.history().iter().filter(|it| it.2).map(|it| it.1))
    }

    /// How long each message waited for its first call to the endpoint.
    pub(crate) fn first_delays(&self, endpoint: EndpointId) -> BTreeMap<MessageId, Duration> {
        let mut delays = BTreeMap::new();
        for (began, id, _) in self.history().into_iter().filter(|it| it.1.endpoint == endpoint) {
            let waited = began.saturating_sub(self.accepted[&id.message]);
            delays.entry(id.message).or_insert(waited);
        }
        delays
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        limits: Limits { lease: 300 * SECOND, ..Limits::default() },
        schedule: Schedule::new(&[30 * SECOND; 40], 0.2),
        disable_endpoint_after: 2 * 3_600 * SECOND,
        breaker: breaker::Policy { threshold: 5, rest: SECOND, rest_max: 60 * SECOND },
        signature_headers: SignatureHeaders::Standard,
        user_agent: HeaderValue::from_static("Postrider/simulation"),
        endpoint_metrics: 0,
        alerts: None,
        operator: None,
        retention: Retention {
            rows: 1_000_000 * SECOND,
            idempotency: 1_000_000 * SECOND,
            digests: 1_000_000 * SECOND,
            rejections: 1_000_000 * SECOND,
            audit_log: 1_000_000 * SECOND,
        },
        statistics_retention: StatisticsRetention::DEFAULT,
        shards: 1,
        tracer: None,
    }
}

pub(crate) fn example(id: ApplicationId) -> Application {
    Application {
        managed_by: None,
        id,
        organization: "org_simulated".parse().unwrap(),
        uid: None,
        name: "simulated".to_owned(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

pub(crate) fn endpoint(
    application: ApplicationId,
    index: usize,
    throttle_rate: Option<u32>,
    vault: &Vault,
) -> Endpoint {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    Endpoint {
        managed_by: None,
        id: EndpointId::from_u128(10 + index as u128),
        application,
        uid: None,
        kind: postrider::api::EndpointKind::Http,
        config: AtRest::default(),
        url: format!("https://example.com/{index}"),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: AtRest::default(),
        metadata: BTreeMap::new(),
        disabled: false,
        throttle_rate,
        strict_rate: false,
        transformation: None,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: vault.seal(&secret, [0; 24]),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}
