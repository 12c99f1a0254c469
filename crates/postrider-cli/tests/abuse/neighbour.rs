//! Another customer of the attacked server, whose deliveries must not suffer.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    attack_time, is_long,
    receiver::Receiver,
    server::{Caller, Server},
};

/// Time between two of its messages.
const PACE: Duration = Duration::from_millis(10);

/// The application that it publishes to, and the receiver's path.
const NAME: &str = "neighbour";

/// Publishes a message every few milliseconds, and measures how long each takes from there to
/// the receiver.
#[derive(Debug)]
pub(crate) struct Neighbour {
    caller: Caller,
    receiver: Receiver,
}

impl Neighbour {
    /// Creates its application and its endpoint, with its own receiver.
    pub(crate) async fn of(server: &Server) -> Self {
        let receiver = Receiver::start().await;
        server.application(NAME).await;
        server.endpoint(NAME, &receiver.url(NAME)).await;
        Self { caller: server.caller(), receiver }
    }

    /// Runs an attack, and asserts that the neighbour's p99 stays within twice what it is
    /// without one.
    #[track_caller]
    pub(crate) fn endures<T>(&self, attack: impl Future<Output = T>) -> impl Future<Output = T> {
        let place = std::panic::Location::caller();
        async move {
            let (calm, ()) = self.during(tokio::time::sleep(attack_time() / 2)).await;
            let (attacked, result) = self.during(attack).await;
            report(format_args!("{place}: calm {calm}, attacked {attacked}"));
            let bound = (calm.p99 * 2).max(floor());
            assert!(attacked.p99 <= bound, "{place}: calm {calm}, attacked {attacked}");
            result
        }
    }

    /// Publishes until something ends, and waits until all of it has arrived.
    async fn during<T>(&self, something: impl Future<Output = T>) -> (Latency, T) {
        let mut published = JoinSet::new();
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut something = std::pin::pin!(something);
        let result = loop {
            tokio::select! {
                result = &mut something => break result,
                _ = ticks.tick() => { published.spawn(publish(self.caller.clone())); },
            }
        };
        let published: HashMap<_, _> = published.join_all().await.into_iter().collect();
        (self.arrived(&published).await, result)
    }

    /// Waits for the messages with these ids, which were published at these times.
    async fn arrived(&self, published: &HashMap<String, Instant>) -> Latency {
        let mut latencies = Vec::new();
        let calls = self
            .receiver
            .until(NAME, |calls| {
                calls.iter().filter(|call| published.contains_key(call.id())).count()
                    >= published.len()
            })
            .await;
        for call in calls {
            latencies.extend(published.get(call.id()).map(|at| call.at.duration_since(*at)));
        }
        Latency::of(latencies)
    }
}

#[expect(clippy::disallowed_methods, reason = "the delay that a customer sees")]
async fn publish(caller: Caller) -> (String, Instant) {
    let at = Instant::now();
    let body = json!({ "eventType": "test.event", "payload": { "steady": true } });
    let path = format!("/app/{NAME}/msg");
    let (status, answer) = caller.call(Method::POST, &path, Some(body)).await.unwrap();
    assert_eq!(status, 202, "the neighbour's message got {answer}");
    (answer.get("id").and_then(Value::as_str).unwrap().to_owned(), at)
}

/// A p99 below this is no complaint, whatever it was before: the attackers share the machine with
/// the server, and may take its processors for a moment even if the server refuses all they ask.
fn floor() -> Duration {
    Duration::from_millis(if is_long() { 150 } else { 500 })
}

/// How long deliveries took.
#[derive(Clone, Copy, Debug)]
struct Latency {
    count: usize,
    p50: Duration,
    p99: Duration,
}

impl Latency {
    fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |share: usize| {
            let index = (latencies.len() * share / 100).min(latencies.len().saturating_sub(1));
            latencies.get(index).copied().unwrap_or_default()
        };
        Self { count: latencies.len(), p50: at(50), p99: at(99) }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99 } = self;
        write!(f, "{count} deliveries with p50 {p50:.1?} and p99 {p99:.1?}")
    }
}

/// Prints a result, for `cargo xtask abuse`.
#[expect(clippy::print_stdout, reason = "the results are for people")]
fn report(line: fmt::Arguments<'_>) {
    println!("{line}");
}
