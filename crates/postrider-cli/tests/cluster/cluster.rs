//! Three nodes with their database, receiver and load, and the checks at the end.

use std::time::Duration;

use http::Method;
use postrider_core::limiter;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    MAX_WAIT, invariants,
    load::{Accepted, Caller, Load, Pace},
    node::{Node, Variables},
    now, pass,
    postgres::Postgres,
    receiver::{Arrival, Receiver},
    report,
    setup::{RATE, catalog, last_lines, missing, must, of, token, with_secrets},
};

/// How long after its death the deliveries of a node are taken over.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// Maximum delay of a delivery whose node died: the lease, and on a busy machine the time to detect
/// the death, to claim and to send.
pub(crate) const TAKEOVER: Duration = Duration::from_secs(6);

/// How much later than others the receiver may record a call, on a busy machine.
const RECORDING_DELAY: Duration = Duration::from_millis(150);

/// The setup of a test.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) pace: Pace,
    /// Variables of all nodes.
    pub(crate) variables: Variables,
    /// Variables of each node.
    pub(crate) own: [Variables; 3],
}

impl Setup {
    pub(crate) fn steady() -> Self {
        Self { pace: Pace::STEADY, variables: Vec::new(), own: Default::default() }
    }
}

/// Limits for the checks at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Maximum number of duplicates.
    pub(crate) duplicates: usize,
    /// Maximum time from acceptance to arrival at an endpoint without order or rate limit.
    pub(crate) wait: Duration,
}

/// A running cluster under load. The nodes are dropped before their database.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) load: Load,
    pub(crate) nodes: Vec<Node>,
    pub(crate) urls: Vec<String>,
    pub(crate) caller: Caller,
    pub(crate) receiver: Receiver,
    pub(crate) postgres: Postgres,
    variables: Variables,
    folder: TempDir,
}

impl Cluster {
    /// Starts everything; the nodes start concurrently on an empty database.
    pub(crate) async fn start(setup: Setup) -> Self {
        let Setup { pace, variables, own } = setup;
        let folder = tempfile::tempdir().unwrap();
        let (postgres, receiver) = (Postgres::start(), Receiver::start());
        let mut common = settings(&postgres.url);
        common.extend(variables);
        let own = own.into_iter().enumerate();
        let mut nodes: Vec<_> = own
            .map(|(number, own)| {
                let variables = common.iter().cloned().chain(own).collect();
                Node::start(&folder.path().join(number.to_string()), variables)
            })
            .collect();
        let urls: Vec<_> = nodes.iter_mut().map(Node::ready).collect();
        let caller = Caller::new(token());
        catalog(&caller, (&urls[0], &receiver), &ENDPOINTS).await;
        let load = Load::start(caller.clone(), urls.clone(), pace);
        Self { load, nodes, urls, caller, receiver, postgres, variables: common, folder }
    }

    /// Starts a node again after its exit.
    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.urls[node] = self.nodes[node].ready();
        self.load.moved(node, self.urls[node].clone());
    }

    /// Starts an additional process, which may fail to start.
    pub(crate) fn one_more(&self) -> Node {
        Node::start(&self.folder.path().join("more"), self.variables.clone())
    }

    /// Waits until this number of further messages was accepted.
    pub(crate) async fn accept(&self, more: usize) {
        let (from, deadline) = (self.load.count(), now() + MAX_WAIT);
        while self.load.count() < from + more {
            assert!(now() < deadline, "only {} more were accepted", self.load.count() - from);
            pass(Duration::from_millis(5)).await;
        }
    }

    /// Calls the API of a node; the response must be 2xx.
    pub(crate) async fn must(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        must(&self.caller, &self.urls[node], method, path, body).await
    }

    /// Stops the load, and checks all invariants.
    pub(crate) async fn prove(mut self, case: &str, bounds: Bounds) {
        let accepted = self.load.end();
        let ended = now();
        let arrivals = self.all_taken(&accepted).await;
        self.postgres.until_none("SELECT count(*) FROM queue").await;
        let drained = now() - ended;
        let unsettled = "SELECT count(*) FROM delivery WHERE state <> 1";
        assert_eq!(self.postgres.count(unsettled).await, 0, "deliveries did not end as delivered");
        let Summary { duplicates, slowest, late } = summarize(&accepted, &arrivals);
        report(format_args!(
            "{case}: {} accepted, {} rejected, {} without a response, {} calls, {duplicates} \
             duplicates, {late} of them after a newer one in order, slowest {slowest:?}, \
             drained in {drained:?}",
            accepted.len(),
            self.load.refused(),
            self.load.unanswered(),
            arrivals.len(),
        ));
        assert!(duplicates <= bounds.duplicates, "{duplicates} duplicates");
        assert!(slowest <= bounds.wait, "a delivery waited {slowest:?}");
        for node in &self.nodes {
            assert!(!node.log().contains("panicked"), "a node panicked: {}", node.log());
        }
    }

    /// Waits until every endpoint has all its messages; returns all calls.
    async fn all_taken(&self, accepted: &[Accepted]) -> Vec<Arrival> {
        let deadline = now() + MAX_WAIT;
        loop {
            let arrivals = self.receiver.arrivals();
            let missing = missing(&ENDPOINTS, accepted, &arrivals);
            if missing.is_empty() {
                return arrivals;
            }
            if now() > deadline {
                let (waiting, logs) = (self.postgres.text(WAITING).await, last_lines(&self.nodes));
                panic!("lost, or very late: {missing:?}; {waiting}; {logs}");
            }
            pass(Duration::from_millis(50)).await;
        }
    }
}

/// The pending deliveries, for the message of a failure.
const WAITING: &str = "
SELECT format('database time %s, queue %s, lanes %s, nodes %s',
    clock_timestamp(),
    (SELECT json_agg(q) FROM (SELECT * FROM queue LIMIT 20) q),
    (SELECT json_agg(lane) FROM lane), (SELECT json_agg(node) FROM node))";

const ENDPOINTS: [&str; 5] = ["plain", "flaky", "fifo", "batches", "strict"];

struct Summary {
    duplicates: usize,
    slowest: Duration,
    late: usize,
}

/// Checks the order and the rate, and counts duplicates.
fn summarize(accepted: &[Accepted], arrivals: &[Arrival]) -> Summary {
    let of = |endpoint| of(arrivals, endpoint);
    for endpoint in ["fifo", "batches"] {
        let violations = invariants::out_of_order(accepted, &of(endpoint));
        assert!(violations.is_empty(), "{endpoint}: the order was not kept: {violations:?}");
    }
    let most = invariants::most_within(Duration::from_secs(1), &of("strict"));
    let allowed = limiter::at_most(RATE, Duration::from_secs(1) + RECORDING_DELAY);
    assert!(most <= allowed, "{most} calls came in a second, {allowed} may");
    Summary {
        duplicates: ENDPOINTS.iter().map(|endpoint| invariants::duplicates(&of(endpoint))).sum(),
        slowest: invariants::slowest(accepted, &of("plain")),
        late: invariants::late_repetitions(accepted, &of("fifo")),
    }
}

/// Settings with short waits, which allow the receiver.
pub(crate) fn settings(database: &str) -> Variables {
    let lease = format!("{}s", LEASE.as_secs());
    let settings = [
        ("POSTRIDER_DATABASE_URL", database),
        ("POSTRIDER_LISTEN", "127.0.0.1:0"),
        ("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8"),
        ("POSTRIDER_RETRY_SCHEDULE", "100ms,200ms,500ms,1s,2s,5s"),
        ("POSTRIDER_REQUEST_TIMEOUT", "2s"),
        ("POSTRIDER_LIMITS__POLL", "200ms"),
        ("POSTRIDER_LIMITS__NODE_LEASE", &lease),
        ("POSTRIDER_LIMITS__DATABASE_TIMEOUT", "2s"),
        ("POSTRIDER_BREAKER__REST", "50ms"),
        ("POSTRIDER_BREAKER__REST_MAX", "100ms"),
    ];
    with_secrets(&settings)
}
