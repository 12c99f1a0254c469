//! Polling endpoints: several nodes append while clients poll, crash and commit late.
//!
//! The laws: no message is skipped, offsets have no gaps, and no message is handed out to two
//! clients of a consumer at the same time.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use postrider::api::EndpointKind;
use postrider_core::catalog::Endpoint;
use postrider_engine::{PollError, PollRequest, Polled, Start};
use postrider_store::LogKey;

use super::*;

/// The consumers, each with its clients.
const CLIENTS: [&str; 4] = ["a", "a", "a", "b"];

/// Messages that a client has received and not committed.
#[derive(Clone, Debug)]
struct Held {
    first: u64,
    last: u64,
    /// No other client may get them before.
    until: Timestamp,
}

/// Clients of one endpoint, and what they have seen.
struct Clients {
    cluster: Cluster,
    log: LogKey,
    held: [Option<Held>; CLIENTS.len()],
    /// The highest offset that was committed, by consumer.
    committed: BTreeMap<&'static str, u64>,
    /// The message of each offset.
    log_seen: BTreeMap<u64, MessageId>,
    received: BTreeSet<(&'static str, MessageId)>,
    handed_out_again: u64,
}

impl Clients {
    async fn new(seed: u64, size: usize) -> Self {
        let cluster = Cluster::new(seed, size, &[Receiver::Good]).await;
        let endpoint = endpoint(cluster.application, 0, None, &cluster.vault);
        let polling =
            Endpoint { kind: EndpointKind::Polling, url: "polling:/".to_owned(), ..endpoint };
        cluster.store.save(&polling, Expected::Any).await.unwrap();
        let log = LogKey { application: cluster.application, endpoint: polling.id };
        Self {
            cluster,
            log,
            held: Default::default(),
            committed: BTreeMap::new(),
            log_seen: BTreeMap::new(),
            received: BTreeSet::new(),
            handed_out_again: 0,
        }
    }

    fn roll(&self, sides: usize) -> usize {
        usize::try_from(self.cluster.dice.roll(sides as u64)).unwrap()
    }

    /// A node that can serve clients.
    fn node(&self) -> Option<&Node> {
        let running = self.cluster.nodes.iter().flatten();
        let serving: Vec<_> = running.filter(|it| !it.is_cut && !it.is_paused).collect();
        (!serving.is_empty()).then(|| serving[self.roll(serving.len())])
    }

    /// Lets some clients poll at the same moment, through any nodes.
    async fn poll(&mut self) {
        let polling: Vec<_> = (0..CLIENTS.len()).filter(|_| self.roll(2) == 0).collect();
        let sent_at = self.cluster.now();
        let mut requests = Vec::new();
        for client in polling {
            let Some(node) = self.node() else { return };
            let (engine, log) = (node.engine.clone(), self.log);
            let request = PollRequest {
                consumer: CLIENTS[client].to_owned(),
                position: None,
                limit: 1 + self.roll(6),
                lease: Duration::from_secs(1 + self.cluster.dice.roll(30)),
                start: Start::Earliest,
            };
            let until = sent_at + request.lease;
            requests
                .push(async move { (client, until, engine.polling().poll(log, &request).await) });
        }
        for (client, until, result) in join_all(requests).await {
            match result {
                Ok(polled) => self.receive(client, until, &polled, sent_at),
                Err(PollError::Leased(_) | PollError::Races) => {},
                Err(error) => panic!("seed {}: {error}", self.cluster.seed),
            }
        }
    }

    /// Checks what a client received.
    fn receive(&mut self, client: usize, until: Timestamp, polled: &Polled, sent_at: Timestamp) {
        let (seed, consumer) = (self.cluster.seed, CLIENTS[client]);
        let (Some(first), Some(last)) = (polled.entries.first(), polled.entries.last()) else {
            return;
        };
        let (first, last) = (first.offset, last.offset);
        let expected = self.committed.get(consumer).copied().unwrap_or_default() + 1;
        assert_eq!(first, expected, "seed {seed}: a consumer goes on behind what it committed");
        for (entry, offset) in polled.entries.iter().zip(first..) {
            assert_eq!(entry.offset, offset, "seed {seed}: a gap");
            let known = self.log_seen.entry(offset).or_insert(entry.message.id);
            assert_eq!(*known, entry.message.id, "seed {seed}: an offset has two messages");
            let is_new = self.received.insert((consumer, entry.message.id));
            self.handed_out_again += u64::from(!is_new);
        }
        for (other, held) in self.held.iter().enumerate() {
            let Some(held) = held else { continue };
            let is_shared = CLIENTS[other] == consumer && other != client && sent_at < held.until;
            let overlaps = is_shared && first <= held.last && held.first <= last;
            assert!(!overlaps, "seed {seed}: {first}..={last} although another has {held:?}");
        }
        self.held[client] = Some(Held { first, last, until });
    }

    /// Lets a client commit all or a part of what it has, in time or late, or crash.
    async fn finish(&mut self, client: usize) {
        let Some(held) = self.held[client].clone() else { return };
        if self.roll(4) == 0 {
            // A crash: its messages are handed out again when the lease has ended.
            self.cluster.common.coverage.count("event: polling client left without a commit");
            self.held[client] = None;
            return;
        }
        let left = self.cluster.dice.roll(2) * self.cluster.dice.roll(3);
        let offset = held.last.saturating_sub(left);
        let offset = offset.max(held.first);
        let Some(node) = self.node() else { return };
        let committed = node.engine.polling().commit(self.log, CLIENTS[client], offset).await;
        committed.unwrap_or_else(|error| panic!("seed {}: {error}", self.cluster.seed));
        let known = self.committed.entry(CLIENTS[client]).or_default();
        *known = offset.max(*known);
        // It does not touch the rest, and asks again.
        self.held[client] = None;
    }

    async fn step(&mut self) {
        let size = self.cluster.nodes.len();
        for _ in 0..self.cluster.dice.roll(6) {
            let index = self.roll(size);
            self.cluster.publish(index).await;
        }
        if self.roll(4) == 0 {
            let index = self.roll(size);
            self.cluster.disturb(index).await;
        }
        self.poll().await;
        let client = self.roll(CLIENTS.len());
        self.finish(client).await;
        let millis = self.cluster.dice.roll(12_000);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Lets all nodes run again, and each consumer read everything.
    async fn drain(&mut self) {
        for index in 0..self.cluster.nodes.len() {
            match &mut self.cluster.nodes[index] {
                Some(node) => heal(node),
                None => self.cluster.nodes[index] = Some(self.cluster.start().await),
            }
        }
        self.held = Default::default();
        for _ in 0..1_000 {
            self.poll().await;
            for client in 0..CLIENTS.len() {
                self.finish(client).await;
            }
            if self.missing() == 0 {
                break;
            }
            tokio::time::sleep(SECOND).await;
        }
        assert_eq!(self.missing(), 0, "seed {}: messages were skipped", self.cluster.seed);
        let distinct: BTreeSet<_> = self.log_seen.values().collect();
        assert_eq!(distinct.len(), self.log_seen.len(), "a message has two offsets");
        let published: BTreeSet<_> = self.cluster.accepted.iter().collect();
        assert_eq!(distinct, published, "the log has other messages");
        for node in self.cluster.nodes.drain(..).flatten() {
            leave(node).await;
        }
    }

    fn missing(&self) -> usize {
        let all = self.cluster.accepted.iter();
        let all = all.flat_map(|message| [("a", *message), ("b", *message)]);
        all.filter(|it| !self.received.contains(it)).count()
    }
}

/// Clients of a polling endpoint, over nodes that are disturbed; also how many messages were handed
/// out again.
pub(crate) async fn polling_clients(seed: u64) -> (Arc<Coverage>, u64) {
    let mut clients = Clients::new(seed, 2 + usize::try_from(seed % 2).unwrap()).await;
    for _ in 0..60 {
        clients.step().await;
    }
    clients.drain().await;
    (clients.cluster.coverage(), clients.handed_out_again)
}

#[tokio::test(start_paused = true)]
async fn no_message_is_skipped_or_handed_out_twice_at_the_same_time() {
    let mut handed_out_again = 0;
    for seed in 0..SEEDS {
        handed_out_again += polling_clients(seed).await.1;
    }
    assert!(handed_out_again > 0, "leases ended without a commit");
}
