//! Several nodes with one store, in virtual time: they are killed, stopped, paused and cut off, and
//! every accepted message still arrives.
//!
//! Every call is checked when it starts: the node's lease is valid, and it holds the delivery,
//! unless the node that held it before has just recorded a success.

pub(crate) mod polling;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, atomic::AtomicU64},
    task::{Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use postrider::{ApplicationId, MessageId};
use postrider_core::{delivery::DeliveryId, message::Format, time::Timestamp, vault::Vault};
use postrider_engine::{Call, Clock, Engine, Report, Sender, Submission, Submitted};
use postrider_store::{
    Cluster as _, Expected, Maintenance, MemoryStore, NodeLease, Records, Store,
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    SECOND,
    coverage::Coverage,
    world::{Dice, Receiver, Receivers, deliveries_of, endpoint, example, settings},
};

const SEEDS: u64 = 40;

const LEASE: Duration = Duration::from_secs(30);

/// Stops futures from being polled, like a process that is paused.
#[derive(Debug, Default)]
struct Gate(Mutex<(bool, Vec<Waker>)>);

impl Gate {
    fn close(&self) {
        self.0.lock().unwrap().0 = true;
    }

    fn open(&self) {
        let (is_closed, wakers) = &mut *self.0.lock().unwrap();
        *is_closed = false;
        wakers.drain(..).for_each(Waker::wake);
    }

    async fn pass<T>(&self, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        poll_fn(|ctx| {
            let mut gate = self.0.lock().unwrap();
            if gate.0 {
                gate.1.push(ctx.waker().clone());
                return Poll::Pending;
            }
            drop(gate);
            task.as_mut().poll(ctx)
        })
        .await
    }
}

/// What all nodes share.
#[derive(Debug)]
struct Common {
    origin: Instant,
    clock: Clock,
    receivers: Receivers,
    /// Violations that were found.
    violations: Mutex<Vec<String>>,
    coverage: Arc<Coverage>,
    calls: Mutex<Calls>,
}

/// Which nodes call for which deliveries.
#[derive(Debug, Default)]
struct Calls {
    /// The epoch of the last node.
    last: BTreeMap<DeliveryId, u64>,
    in_flight: BTreeMap<DeliveryId, u64>,
}

/// Calls of a node in progress, which end with their future.
struct CallGuard<'a> {
    common: &'a Common,
    deliveries: Vec<DeliveryId>,
}

impl<'a> CallGuard<'a> {
    fn begin(common: &'a Common, deliveries: Vec<DeliveryId>, epoch: u64) -> Self {
        let calls = &mut *common.calls.lock().unwrap();
        for id in &deliveries {
            if calls.last.insert(*id, epoch).is_some_and(|last| last != epoch) {
                common.coverage.count("event: call by another node than before");
            }
            let in_flight = calls.in_flight.entry(*id).or_default();
            *in_flight += 1;
            if *in_flight > 1 {
                common.coverage.count("rare: delivery in flight on two nodes");
            }
        }
        Self { common, deliveries }
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        let calls = &mut *self.common.calls.lock().unwrap();
        for id in &self.deliveries {
            if let Some(in_flight) = calls.in_flight.get_mut(id) {
                *in_flight -= 1;
            }
        }
    }
}

/// The sender of one node, which checks each call when it starts.
#[derive(Debug)]
struct Watched {
    store: Arc<MemoryStore>,
    common: Arc<Common>,
}

#[async_trait]
impl Sender for Watched {
    async fn send(&self, call: Call) -> Report {
        let index: usize =
            call.target.http().unwrap().url.path().trim_start_matches('/').parse().unwrap();
        let endpoint = self.common.receivers.behaviors[index].0;
        let (now, lease) = (self.common.clock.now(), self.store.node_lease());
        let deliveries = deliveries_of(&call, endpoint);
        for &id in &deliveries {
            if now >= lease.valid_until {
                let late = now.since(lease.valid_until);
                self.report(format!("{id:?} began {late:?} after {lease:?}"));
            }
            if !self.store.holds(id) && !self.was_just_delivered(id, lease.epoch) {
                self.report(format!("{id:?} is not held by {lease:?}"));
            }
        }
        let _guard = CallGuard::begin(&self.common, deliveries, lease.epoch);
        self.common.receivers.send(call).await
    }
}

impl Watched {
    /// Whether another node, which had lost the delivery to this one, has recorded a success of
    /// its own call. The store keeps it, and this node cannot know yet.
    fn was_just_delivered(&self, id: DeliveryId, epoch: u64) -> bool {
        let last = self.common.calls.lock().unwrap().last.get(&id).copied();
        let is_of_another = last.is_some_and(|last| last != epoch);
        let was_delivered = is_of_another && self.store.is_delivered(id);
        if was_delivered {
            self.common.coverage.count("rare: success recorded after the delivery was taken over");
        }
        was_delivered
    }

    fn report(&self, what: String) {
        self.common.violations.lock().unwrap().push(what);
    }
}

struct Node {
    store: Arc<MemoryStore>,
    engine: Engine,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    gate: Arc<Gate>,
    is_cut: bool,
    is_paused: bool,
}

impl Node {
    /// Publishes a message; returns its id if it was accepted.
    fn submit(
        &self,
        application: ApplicationId,
    ) -> impl Future<Output = Option<MessageId>> + use<> {
        let engine = self.engine.clone();
        async move {
            let entry = engine.directory().entry(application).await.ok()??;
            let submission = Submission {
                entry,
                event_type: "user.created".parse().unwrap(),
                event_id: None,
                channels: Vec::new(),
                tags: Vec::new(),
                body: Bytes::from_static(b"{}"),
                format: Format::Json,
                deliver_at: None,
                body_until: Timestamp::MAX,
                trace: None,
                idempotency: None,
                only: None,
                history: None,
            };
            match engine.submit(submission).await.ok()? {
                Submitted::Accepted(message) => Some(message.id),
                Submitted::Repeated(_) | Submitted::EventIdTaken(_) => None,
            }
        }
    }
}

struct Cluster {
    dice: Arc<Dice>,
    common: Arc<Common>,
    /// Belongs to no node.
    store: MemoryStore,
    vault: Vault,
    application: ApplicationId,
    nodes: Vec<Option<Node>>,
    accepted: BTreeSet<MessageId>,
    starts: u64,
    seed: u64,
}

impl Cluster {
    async fn new(seed: u64, size: usize, receivers: &[Receiver]) -> Self {
        let dice = Arc::new(Dice(Mutex::new(seed)));
        let vault = Vault::new("main");
        let store = MemoryStore::default();
        let application = ApplicationId::from_u128(1);
        store.save(&example(application), Expected::New).await.unwrap();
        let mut behaviors = Vec::new();
        for (index, &receiver) in receivers.iter().enumerate() {
            let endpoint = endpoint(application, index, None, &vault);
            behaviors.push((endpoint.id, receiver));
            store.save(&endpoint, Expected::New).await.unwrap();
        }
        let origin = Instant::now();
        let clock = Clock::simulated(seed, 0, origin);
        store.set_time(clock.now());
        let coverage = Arc::new(Coverage::default());
        let receivers = Receivers {
            dice: Arc::clone(&dice),
            origin,
            behaviors,
            seen: Mutex::default(),
            coverage: Arc::clone(&coverage),
            in_flight: AtomicU64::new(0),
            succeeded: tokio::sync::Notify::new(),
        };
        let common = Common {
            origin,
            clock,
            receivers,
            violations: Mutex::default(),
            coverage,
            calls: Mutex::default(),
        };
        let mut cluster = Self {
            dice,
            common: Arc::new(common),
            store,
            vault,
            application,
            nodes: Vec::new(),
            accepted: BTreeSet::new(),
            starts: 0,
            seed,
        };
        for _ in 0..size {
            let node = cluster.start().await;
            cluster.nodes.push(Some(node));
        }
        cluster
    }

    fn now(&self) -> Timestamp {
        self.common.clock.now()
    }

    /// A node whose own clock is wrong.
    async fn start(&mut self) -> Node {
        self.starts += 1;
        let store = Arc::new(self.store.join(self.now() + LEASE));
        store.set_latency(Duration::from_millis(self.dice.roll(40)));
        let last = self.accepted.last().map_or(0, |it| it.sequence());
        let clock = Clock::simulated(self.seed * 1_000 + self.starts, last, Instant::now());
        clock.follow(&*store).await.unwrap();
        let sender = Watched { store: Arc::clone(&store), common: Arc::clone(&self.common) };
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let (engine, parts) =
            Engine::new(shared, Arc::new(sender), clock, self.vault.clone(), settings());
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let gate = Arc::new(Gate::default());
        for driver in parts.drivers {
            let (gate, stop) = (Arc::clone(&gate), stop.clone());
            tasks.spawn(async move { gate.pass(driver.run(stop, 30 * SECOND)).await });
        }
        let background = {
            let (gate, stop) = (Arc::clone(&gate), stop.clone());
            let (store, common) = (Arc::clone(&store), Arc::clone(&self.common));
            let keep = keep(store, common, stop.clone());
            let (maintenance, listener) =
                (parts.maintenance.run(stop.clone()), parts.listener.run(stop));
            async move {
                gate.pass(async { tokio::join!(maintenance, listener, keep) }).await;
            }
        };
        tasks.spawn(background);
        Node { store, engine, tasks, stop, gate, is_cut: false, is_paused: false }
    }

    async fn publish(&mut self, index: usize) {
        let Some(node) = &self.nodes[index] else { return };
        if node.is_cut || node.is_paused {
            return;
        }
        let submitted = node.submit(self.application).await;
        self.accepted.insert(submitted.expect("the store answers"));
    }

    /// Disturbs a node, or ends a disturbance.
    async fn disturb(&mut self, index: usize) {
        let Some(mut node) = self.nodes[index].take() else {
            self.nodes[index] = Some(self.start().await);
            return;
        };
        let coverage = Arc::clone(&self.common.coverage);
        match self.dice.roll(5) {
            0 => {
                coverage.count("fault: node killed");
                return node.tasks.shutdown().await;
            },
            1 if !node.is_cut && !node.is_paused => {
                coverage.count("event: node stopped");
                return leave(node).await;
            },
            2 => {
                coverage.count("fault: node suspended");
                if self.common.receivers.is_called() {
                    coverage.count("event: node suspended during a call");
                }
                node.is_paused = true;
                node.gate.close();
            },
            3 => {
                coverage.count("fault: node cut off from the store");
                node.is_cut = true;
                node.store.set_available(false);
            },
            _ => heal(&mut node),
        }
        self.nodes[index] = Some(node);
    }

    /// Lets all nodes run again, and waits until every accepted message has arrived.
    async fn recover(&mut self) {
        for index in 0..self.nodes.len() {
            match &mut self.nodes[index] {
                Some(node) => heal(node),
                None => self.nodes[index] = Some(self.start().await),
            }
        }
        for _ in 0..10_000 {
            if self.missing() == 0 {
                break;
            }
            tokio::time::sleep(SECOND).await;
        }
        assert_eq!(self.missing(), 0, "seed {}: not all arrived", self.seed);
        let violations = self.common.violations.lock().unwrap().clone();
        assert!(violations.is_empty(), "seed {}: {violations:#?}", self.seed);
        for node in self.nodes.drain(..).flatten() {
            leave(node).await;
        }
    }

    /// Deliveries of accepted messages that did not arrive.
    fn missing(&self) -> usize {
        let seen = self.common.receivers.seen.lock().unwrap();
        let arrived: BTreeSet<DeliveryId> = seen.iter().filter(|it| it.2).map(|it| it.1).collect();
        let all = self.accepted.iter().flat_map(|&message| {
            let receivers = self.common.receivers.behaviors.iter();
            receivers.map(move |it| DeliveryId { endpoint: it.0, message })
        });
        all.filter(|id| !arrived.contains(id)).count()
    }

    /// What the history contained.
    fn coverage(&self) -> Arc<Coverage> {
        let coverage = &self.common.coverage;
        let repetitions = self.common.receivers.repetitions();
        coverage.add("event: delivery repeated after a success", repetitions);
        Arc::clone(coverage)
    }
}

/// Stops a node normally.
async fn leave(node: Node) {
    node.stop.cancel();
    node.tasks.join_all().await;
    node.store.close().await.unwrap();
}

fn heal(node: &mut Node) {
    node.is_cut = false;
    node.is_paused = false;
    node.store.set_available(true);
    node.gate.open();
}

/// Renews a node's lease after each third of it, and takes over from others, unless it was cut off
/// itself recently.
async fn keep(store: Arc<MemoryStore>, common: Arc<Common>, stop: CancellationToken) {
    let mut judges_from = common.clock.now();
    let mut renews_at = common.clock.now();
    while !stop.is_cancelled() {
        let now = common.clock.now();
        if now >= renews_at {
            let NodeLease { epoch, valid_until } = store.node_lease();
            let has_lapsed = now >= valid_until;
            let is_renewed = store.renew(now + LEASE).is_ok();
            if is_renewed && store.node_lease().epoch != epoch {
                common.coverage.count("event: lease renewed in a new epoch");
            }
            if has_lapsed || !is_renewed {
                judges_from = now + LEASE;
            }
            renews_at = now + if is_renewed { LEASE / 3 } else { SECOND };
        }
        if now >= judges_from && now < store.node_lease().valid_until {
            let freed = store.reap(now).unwrap_or(0);
            common.coverage.add("event: lease expired with deliveries", u64::from(freed > 0));
        }
        tokio::select! {
            () = stop.cancelled() => {},
            () = tokio::time::sleep(SECOND) => {},
        }
    }
}

/// Nodes are killed, stopped, suspended and cut off from the store.
pub(crate) async fn disturbed_nodes(seed: u64) -> Arc<Coverage> {
    let size = 2 + usize::try_from(seed % 2).unwrap();
    let mut cluster =
        Cluster::new(seed, size, &[Receiver::Flaky, Receiver::Good, Receiver::Slow]).await;
    for _ in 0..40 {
        let index = usize::try_from(cluster.dice.roll(size as u64)).unwrap();
        for _ in 0..cluster.dice.roll(5) {
            cluster.publish(index).await;
        }
        if cluster.dice.roll(3) == 0 {
            let index = usize::try_from(cluster.dice.roll(size as u64)).unwrap();
            cluster.disturb(index).await;
        }
        tokio::time::sleep(Duration::from_millis(cluster.dice.roll(20_000))).await;
    }
    cluster.recover().await;
    cluster.coverage()
}

#[tokio::test(start_paused = true)]
async fn every_accepted_message_arrives_whatever_happens_to_nodes() {
    for seed in 0..SEEDS {
        disturbed_nodes(seed).await;
    }
}

/// Nodes start and stop normally.
pub(crate) async fn nodes_that_come_and_go(seed: u64) -> Arc<Coverage> {
    let mut cluster = Cluster::new(seed, 3, &[Receiver::Flaky, Receiver::Slow]).await;
    for _ in 0..30 {
        let index = usize::try_from(cluster.dice.roll(3)).unwrap();
        for _ in 0..cluster.dice.roll(5) {
            cluster.publish(index).await;
        }
        if cluster.dice.roll(3) == 0 {
            match cluster.nodes[index].take() {
                Some(node) => leave(node).await,
                None => cluster.nodes[index] = Some(cluster.start().await),
            }
        }
        tokio::time::sleep(Duration::from_millis(cluster.dice.roll(5_000))).await;
    }
    cluster.recover().await;
    assert_eq!(cluster.common.receivers.repetitions(), 0, "seed {seed}");
    cluster.coverage()
}

#[tokio::test(start_paused = true)]
async fn nodes_that_start_and_stop_normally_repeat_no_delivery() {
    for seed in 0..SEEDS {
        nodes_that_come_and_go(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_deliveries_of_a_killed_node_arrive_within_a_lease() {
    let mut cluster = Cluster::new(1, 2, &[Receiver::Slow]).await;
    for _ in 0..200 {
        cluster.publish(0).await;
    }
    cluster.nodes[0].take().unwrap().tasks.shutdown().await;
    assert!(cluster.missing() > 0, "it was killed with work to do");
    let killed_at = cluster.common.origin.elapsed();
    while cluster.missing() > 0 {
        tokio::time::sleep(SECOND).await;
    }
    let took = cluster.common.origin.elapsed().saturating_sub(killed_at);
    assert!(took < LEASE + 15 * SECOND, "{took:?}");
    cluster.recover().await;
}

/// A node is suspended for longer than its lease, with a store call in flight.
pub(crate) async fn suspended_node(seed: u64) -> Arc<Coverage> {
    let mut cluster = Cluster::new(seed, 2, &[Receiver::Slow]).await;
    for _ in 0..300 {
        cluster.publish(0).await;
    }
    let sleeper = cluster.nodes[0].as_ref().unwrap();
    sleeper.store.set_latency(Duration::from_millis(100));
    // It is paused with a store call in flight.
    let mut submissions = JoinSet::new();
    for _ in 0..50 {
        submissions.spawn(sleeper.submit(cluster.application));
    }
    tokio::time::sleep(Duration::from_millis(cluster.dice.roll(200))).await;
    let sleeper = cluster.nodes[0].as_mut().unwrap();
    sleeper.gate.close();
    let number = sleeper.store.node_lease().epoch;
    let wait = 40_000 + cluster.dice.roll(60_000);
    tokio::time::sleep(Duration::from_millis(wait)).await;
    heal(cluster.nodes[0].as_mut().unwrap());
    tokio::time::sleep(30 * SECOND).await;
    let woken = cluster.nodes[0].as_ref().unwrap();
    assert_ne!(woken.store.node_lease().epoch, number, "seed {seed}");
    cluster.accepted.extend(submissions.join_all().await.into_iter().flatten());
    cluster.recover().await;
    cluster.coverage()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_paused_past_its_lease_drops_what_it_held() {
    for seed in 0..SEEDS {
        suspended_node(seed).await;
    }
}
