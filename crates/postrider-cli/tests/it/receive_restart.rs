//! Crashes of the process while providers post to a source: acknowledged events are delivered, and
//! repeated ones become a single message.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    database::Database,
    provider::Provider,
    receiver::{Behavior, Call, Receiver},
    schema::Schema,
    server::{Server, until, until_async},
};

/// Number of times the process is killed.
const KILLS: usize = 10;

/// Number of events that a provider posts concurrently.
const SENDERS: usize = 8;

/// What the provider has recorded.
#[derive(Debug, Default)]
struct Ledger {
    acknowledged: Mutex<HashSet<String>>,
    /// Events that were posted more than once.
    repeated: AtomicUsize,
    is_enough: AtomicBool,
}

impl Ledger {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

/// Posts events one after the other, each until it is acknowledged.
fn start_senders(provider: &Provider, ledger: &Arc<Ledger>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for sender in 0..SENDERS {
        let (provider, ledger) = (provider.clone(), Arc::clone(ledger));
        tasks.spawn(async move {
            for number in 0_u64.. {
                if ledger.is_enough.load(Ordering::Relaxed) {
                    return;
                }
                let event_id = format!("evt_{sender}_{number}");
                if provider.deliver(&event_id).await > 1 {
                    ledger.repeated.fetch_add(1, Ordering::Relaxed);
                }
                ledger.acknowledged.lock().unwrap().insert(event_id);
            }
        });
    }
    tasks
}

/// The ids of the delivered messages by event.
fn arrived(calls: &[Call]) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for call in calls {
        let event_id = call.header("postrider-event-id").to_owned();
        messages.entry(event_id).or_default().insert(call.id().to_owned());
    }
    messages
}

#[tokio::test]
async fn acknowledged_events_are_delivered_although_the_process_is_killed_repeatedly() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    // Some acknowledged events are waiting for a retry when the process is killed.
    receiver.set_behavior("hook", Behavior::FailFirst(30));
    let provider = Provider::of(&server, &receiver.url("hook")).await;
    let ledger = Arc::new(Ledger::default());
    let mut tasks = start_senders(&provider, &ledger);
    for round in 1..=KILLS {
        // Each round kills the process at another point of its work.
        let (enough, seen) = (ledger.count() + 29 * round, Arc::clone(&ledger));
        let wait = move || until("enough is acknowledged", || seen.count() >= enough);
        tokio::task::spawn_blocking(wait).await.unwrap();
        server.kill_and_restart();
        provider.follow(&server);
    }
    ledger.is_enough.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let acknowledged: BTreeSet<_> = ledger.acknowledged.lock().unwrap().iter().cloned().collect();
    assert!(acknowledged.len() > 29 * KILLS);
    assert!(ledger.repeated.load(Ordering::Relaxed) > 0, "no kill came between");

    let all = |calls: &[Call]| {
        let arrived = arrived(calls);
        acknowledged.iter().all(|it| arrived.contains_key(it))
    };
    let calls = receiver.until("hook", all).await;
    for (event_id, messages) in arrived(&calls) {
        assert_eq!(messages.len(), 1, "{event_id} is {messages:?}");
    }
    let mut messages = provider.messages(&server).await;
    messages.sort_unstable();
    assert_eq!(messages, acknowledged.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_repeated_event_is_recognized_after_a_crash_that_lost_the_response() {
    let receiver = Receiver::start().await;
    let mut server = Server::start();
    let provider = Provider::of(&server, &receiver.url("hook")).await;
    assert_eq!(provider.deliver("evt_1").await, 1);
    server.kill_and_restart();
    provider.follow(&server);
    assert_eq!(provider.deliver("evt_1").await, 1);
    server.terminate();
    server.restart();
    provider.follow(&server);
    assert_eq!(provider.deliver("evt_1").await, 1);
    assert_eq!(provider.deliver("evt_2").await, 1);
    let calls = receiver.until("hook", |calls| arrived(calls).len() == 2).await;
    assert!(arrived(&calls).values().all(|messages| messages.len() == 1));
    assert_eq!(provider.messages(&server).await, ["evt_2", "evt_1"]);
}

#[tokio::test]
async fn a_full_disk_gets_503_and_a_retried_event_is_accepted_once() {
    let receiver = Receiver::start().await;
    let mut server = Server::embedded(&[("POSTRIDER_LIMITS__STORE_PAGES", "600")]);
    let provider = Provider::of(&server, &receiver.url("hook")).await;
    let large = "x".repeat(64 << 10);
    let mut accepted = Vec::new();
    let (event_id, headers) = loop {
        let event_id = format!("evt_{}", accepted.len());
        match provider.post(&event_id, &large).await.unwrap() {
            (200, _) => accepted.push(event_id),
            (503, headers) => break (event_id, headers),
            (status, _) => panic!("{event_id} got {status}"),
        }
        assert!(accepted.len() < 1_000, "600 pages hold less");
    };
    assert!(headers.contains_key("retry-after"), "{headers:?}");
    assert!(accepted.len() > 10);
    // The response stays 503, never 4xx, and known events are still acknowledged.
    assert_eq!(provider.post(&event_id, &large).await.unwrap().0, 503);
    assert_eq!(provider.post("evt_0", &large).await.unwrap().0, 200);

    server.terminate();
    server.set("POSTRIDER_LIMITS__STORE_PAGES", "6000");
    server.restart();
    provider.follow(&server);
    assert_eq!(provider.post(&event_id, &large).await.unwrap().0, 200);
    assert_eq!(provider.post(&event_id, &large).await.unwrap().0, 200);
    accepted.push(event_id);
    let calls = receiver.until("hook", |calls| arrived(calls).len() >= accepted.len()).await;
    assert!(arrived(&calls).values().all(|messages| messages.len() == 1));
    accepted.reverse();
    assert_eq!(provider.messages(&server).await, accepted);
}

#[tokio::test]
async fn an_unavailable_database_gets_503_and_a_retried_event_is_accepted_once() {
    let database = Database::new();
    let url = database.script("start", &["fsync=off", "full_page_writes=off"]);
    let schema = Arc::new(Schema::on_server(url));
    let receiver = Receiver::start().await;
    let server = Server::on_database(&schema, &[]);
    let provider = Provider::of(&server, &receiver.url("hook")).await;
    assert_eq!(provider.deliver("evt_1").await, 1);
    database.script("stop", &["immediate"]);
    for event_id in ["evt_1", "evt_2"] {
        let (status, headers) = provider.post(event_id, "").await.unwrap();
        assert_eq!(status, 503, "{event_id}");
        assert!(headers.contains_key("retry-after"), "{headers:?}");
    }
    database.script("start", &[]);
    let health = || async { json!(server.retry_after(http::Method::GET, "/health").await.0) };
    until_async(health, |status| *status == 204).await;
    for event_id in ["evt_1", "evt_2", "evt_2"] {
        provider.deliver(event_id).await;
    }
    let calls = receiver.until("hook", |calls| arrived(calls).len() == 2).await;
    assert!(arrived(&calls).values().all(|messages| messages.len() == 1));
    assert_eq!(provider.messages(&server).await, ["evt_2", "evt_1"]);
    drop(server);
}
