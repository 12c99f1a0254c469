//! Three nodes with their database, receiver and load, and the checks at the end.

use std::{process::Command, time::Duration};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::{
    MAX_WAIT, invariants,
    load::{Accepted, Caller, Load, Pace},
    node::{Node, Variables},
    now, pass,
    patroni::Patroni,
    postrider,
    receiver::{Arrival, Receiver},
    report,
    setup::{catalog, last_lines, missing, of, token, with_secrets},
    until,
};

/// The nodes' settings.
const CONFIG: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/high-availability/postrider.toml");

/// Set for the process in the namespaces of a test.
const INSIDE: &str = "HIGH_AVAILABILITY_TEST";

/// How nodes find the primary.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path {
    /// The URL names all machines.
    Hosts,
    /// A proxy asks Patroni.
    Proxy,
}

/// A running cluster under load. The nodes are dropped before their database.
#[derive(Debug)]
pub(crate) struct Cluster {
    load: Load,
    nodes: Vec<Node>,
    url: String,
    receiver: Receiver,
    pub(crate) patroni: Patroni,
    _folder: TempDir,
}

/// Runs a test in namespaces of its own, so that its addresses are free and all its processes end
/// with it.
pub(crate) fn isolated<F: Future<Output = ()>>(test: &str, body: impl FnOnce() -> F) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.unwrap().block_on(body());
    }
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed; it needs root for its namespaces");
}

impl Cluster {
    /// Starts everything; the nodes start concurrently on an empty database.
    pub(crate) async fn start(path: Path, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (patroni, receiver) = (Patroni::start(options), Receiver::start());
        let url = match path {
            Path::Hosts => patroni.hosts.clone(),
            Path::Proxy => patroni.proxy.clone(),
        };
        let mut nodes: Vec<_> = (0..3)
            .map(|number| Node::start(&folder.path().join(number.to_string()), settings(&url)))
            .collect();
        let urls: Vec<_> = nodes.iter_mut().map(Node::ready).collect();
        let caller = Caller::new(token());
        catalog(&caller, (&urls[0], &receiver), &ENDPOINTS).await;
        let load = Load::start(caller, urls, Pace::STEADY);
        let cluster = Self { load, nodes, url, receiver, patroni, _folder: folder };
        cluster.accept(300).await;
        cluster
    }

    /// Waits until this number of further messages was accepted.
    pub(crate) async fn accept(&self, more: usize) {
        let from = self.load.count();
        until("messages are accepted", || self.load.count() >= from + more).await;
    }

    /// Waits until no message has been accepted for this time.
    pub(crate) async fn refused(&self, time: Duration) {
        let (mut count, mut since) = (self.load.count(), now());
        until("no message is accepted", || {
            if self.load.count() != count {
                (count, since) = (self.load.count(), now());
            }
            now() - since >= time
        })
        .await;
    }

    /// Stops the load, and checks all invariants.
    pub(crate) async fn prove(mut self, case: &str) {
        self.accept(200).await;
        self.listens().await;
        self.migrates();
        let accepted = self.load.end();
        let arrivals = self.all_taken(&accepted).await;
        self.until_none("SELECT count(*) FROM queue").await;
        self.until_none("SELECT count(*) FROM delivery WHERE state <> 1").await;
        let of = |endpoint| of(&arrivals, endpoint);
        let violations = invariants::out_of_order(&accepted, &of("fifo"));
        assert!(violations.is_empty(), "the order was not kept: {violations:?}");
        let duplicates: usize =
            ENDPOINTS.iter().map(|endpoint| invariants::duplicates(&of(endpoint))).sum();
        report(format_args!(
            "{case}: longest time without a 202 {:.1} s; {} accepted, {} rejected, {} without a \
             response, {} calls, {duplicates} duplicates, slowest delivery {:.1} s",
            longest_gap(&accepted).as_secs_f32(),
            accepted.len(),
            self.load.refused(),
            self.load.unanswered(),
            arrivals.len(),
            invariants::slowest(&accepted, &of("plain")).as_secs_f32(),
        ));
        for node in &self.nodes {
            assert!(!node.log().contains("panicked"), "a node panicked: {}", node.log());
        }
    }

    /// Waits until every node listens for notifications on the new primary.
    async fn listens(&self) {
        self.until_none(
            "SELECT 3 - count(*) FROM pg_stat_activity WHERE application_name = 'postrider'
             AND (query LIKE 'LISTEN %' OR query = 'SELECT 1')",
        )
        .await;
    }

    /// A new version would find the primary, too.
    fn migrates(&self) {
        let output = postrider(&["migrate"]).env("POSTRIDER_DATABASE_URL", &self.url).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
            assert!(
                now() < deadline,
                "lost, or very late: {missing:?}; {}",
                last_lines(&self.nodes)
            );
            pass(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the query returns zero.
    async fn until_none(&self, sql: &str) {
        let client = self.client().await;
        let deadline = now() + MAX_WAIT;
        loop {
            let count: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
            if count == 0 {
                return;
            }
            assert!(now() < deadline, "still {count}: {sql}; {}", last_lines(&self.nodes));
            pass(Duration::from_millis(100)).await;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the connection ends with its client")]
    async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

const ENDPOINTS: [&str; 2] = ["plain", "fifo"];

/// The longest time between two responses with 202.
fn longest_gap(accepted: &[Accepted]) -> Duration {
    let mut times: Vec<_> = accepted.iter().map(|it| it.responded_at).collect();
    times.sort();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// What the file cannot know, and shorter waits between attempts.
fn settings(database: &str) -> Variables {
    let settings = [
        ("POSTRIDER_CONFIG", CONFIG),
        ("POSTRIDER_DATABASE_URL", database),
        ("POSTRIDER_LISTEN", "127.0.0.1:0"),
        ("POSTRIDER_ALLOW_NETWORKS", "127.0.0.0/8"),
        ("POSTRIDER_RETRY_SCHEDULE", "100ms,200ms,500ms,1s,2s,5s"),
    ];
    with_secrets(&settings)
}
