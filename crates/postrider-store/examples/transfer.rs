//! Compares two ways to read a whole folder for a copy: from its tables, as
//! [`TransferStore::export`] does, and through the contracts of the store.
//!
//! ```sh
//! cargo run --release -p postrider-store --example transfer -- [messages]
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement that fails should say so at once, and it needs a clock"
)]

#[path = "sample/data.rs"]
mod sample;

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use postrider::MessageId;
use postrider_core::{
    catalog::{Application, Endpoint},
    delivery::{Delivery, DeliveryId, Settlement},
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, Deliveries, DeliveriesOf, DeliveryFilter, DeliveryOrder,
    EmbeddedStore, EmbeddedTransferStore, Expected, History, Hold, MessageFilter, NewMessage,
    Options, Records, Scan, SettleBatch, Target,
    transfer::{Chunk, ChunkKind, Cursor, MessageExport, TransferStore},
};

use self::sample::{APPLICATION, FIRST_SEQUENCE, NOW, endpoint_id};

const ENDPOINTS: u64 = 3;
/// The number of messages in a batch of writes.
const BATCH: u64 = 1_000;
/// The number of items on a page: as many as in a chunk of a copy.
const PAGE: usize = 1_000;
const KINDS: [ChunkKind; 7] = [
    ChunkKind::Applications,
    ChunkKind::Endpoints,
    ChunkKind::EventTypes,
    ChunkKind::Sources,
    ChunkKind::Messages,
    ChunkKind::Recoveries,
    ChunkKind::CompletedKeys,
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let messages = std::env::args().nth(1).map_or(20_000, |it| it.parse().unwrap());
    let folder = tempfile::tempdir_in(".").unwrap();
    fill(folder.path(), messages).await;

    let source = EmbeddedTransferStore::source(folder.path(), &Options::default()).unwrap();
    let start = Instant::now();
    let exported = read_tables(&source).await;
    let tables = report("tables", &exported, start.elapsed());
    source.close();

    let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
    let start = Instant::now();
    let listed = read_contracts(&store).await;
    let contracts = report("contracts", &listed, start.elapsed());

    assert_eq!(exported, listed, "both ways read the same");
    println!("reading the tables is {:.1} times as fast", tables / contracts);
}

/// The number of items that were read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    /// Applications and endpoints.
    records: usize,
    messages: usize,
    body_bytes: usize,
    deliveries: usize,
    attempts: usize,
}

/// Prints and returns the number of messages per second.
fn report(name: &str, totals: &Totals, elapsed: Duration) -> f64 {
    let rate = totals.messages as f64 / elapsed.as_secs_f64();
    println!("{name}: {rate:.0} messages per second ({elapsed:.1?}, {totals:?})");
    rate
}

async fn read_tables(source: &EmbeddedTransferStore) -> Totals {
    let mut totals = Totals::default();
    for kind in KINDS {
        let mut after = Some(Vec::new());
        while let Some(position) = after {
            let page = source.export(&Cursor { kind, after: position }, PAGE).await.unwrap();
            match &page.chunk {
                Chunk::Applications(all) => totals.records += all.len(),
                Chunk::Endpoints(all) => totals.records += all.len(),
                Chunk::Messages(all) => all.iter().for_each(|it| totals.add(it)),
                Chunk::EventTypes(_)
                | Chunk::Sources(_)
                | Chunk::Connectors(_)
                | Chunk::Consumers(_)
                | Chunk::Partitions(_)
                | Chunk::DeadLetters(_)
                | Chunk::Tasks(_)
                | Chunk::Recoveries(_)
                | Chunk::ApiKeys(_)
                | Chunk::TokenPolicies(_)
                | Chunk::AuditLog(_)
                | Chunk::CompletedKeys(_)
                | Chunk::PollLogs(_)
                | Chunk::PollEntries(_) => {},
            }
            after = page.next;
        }
    }
    totals
}

impl Totals {
    fn add(&mut self, export: &MessageExport) {
        self.messages += 1;
        self.body_bytes += export.message.body.as_ref().map_or(0, Bytes::len);
        self.deliveries += export.deliveries.len();
        self.attempts += export.deliveries.iter().map(|it| it.attempts.len()).sum::<usize>();
    }
}

async fn read_contracts(store: &EmbeddedStore) -> Totals {
    let applications =
        store.list::<Application>(&sample::organization(), first_page()).await.unwrap();
    let endpoints = store.list::<Endpoint>(&APPLICATION, first_page()).await.unwrap();
    let records = applications.items.len() + endpoints.items.len();
    let mut totals = Totals { records, ..Totals::default() };
    let mut scan = Some(first_page());
    while let Some(next) = scan {
        let filter = MessageFilter { with_body: true, ..MessageFilter::default() };
        let page = store.messages(APPLICATION, filter, next).await.unwrap();
        for message in &page.items {
            totals.messages += 1;
            totals.body_bytes += message.body.as_ref().map_or(0, Bytes::len);
            // A message has few deliveries and attempts here, so that one page holds them.
            let of = DeliveriesOf::Message(APPLICATION, message.id);
            let found = store.deliveries(of, DeliveryFilter::default(), first_page()).await;
            totals.deliveries += found.unwrap().items.len();
            let of = AttemptsOf::Message(APPLICATION, message.id, None);
            let found = store.attempts(of, AttemptFilter::default(), first_page()).await;
            totals.attempts += found.unwrap().items.len();
        }
        scan = page.resume.map(|last| Scan { after: Some(last), ..first_page() });
    }
    totals
}

const fn first_page<K>() -> Scan<K> {
    Scan { after: None, ascending: true, limit: PAGE }
}

/// Stores an application with its endpoints, and messages that were delivered to all of them.
async fn fill(folder: &Path, messages: u64) {
    let store = EmbeddedStore::open(folder, &Options::default()).unwrap();
    store.save(&sample::application(), Expected::New).await.unwrap();
    for number in 0..ENDPOINTS {
        store.save(&sample::endpoint(number), Expected::New).await.unwrap();
    }
    let mut start = 0;
    while start < messages {
        let end = messages.min(start + BATCH);
        deliver(&store, start..end).await;
        start = end;
    }
    // The index must be complete before the measurement starts. Counting waits for it.
    store.stats(APPLICATION, endpoint_id(0), NOW, NOW).await.unwrap();
}

/// Accepts these messages, and records one successful attempt for each of their deliveries.
async fn deliver(store: &EmbeddedStore, numbers: Range<u64>) {
    store.append(numbers.clone().map(new_message).collect()).await.unwrap();
    let pairs = numbers.flat_map(|number| (0..ENDPOINTS).map(move |endpoint| (number, endpoint)));
    let settlements = pairs.map(|(number, endpoint)| settlement(number, endpoint)).collect();
    let batch = SettleBatch { settlements, messages: Vec::new() };
    store.settle(Arc::new(batch)).await.unwrap();
}

fn new_message(number: u64) -> NewMessage {
    let target = |endpoint| Target {
        endpoint: endpoint_id(endpoint),
        hold: Hold::Leased(Timestamp::MAX),
        order: DeliveryOrder::Any,
    };
    let targets = (0..ENDPOINTS).map(target).collect();
    let message = Arc::new(sample::message(message_id(number)));
    NewMessage { message, targets, idempotency: None }
}

fn settlement(number: u64, endpoint: u64) -> Settlement {
    let id = DeliveryId { endpoint: endpoint_id(endpoint), message: message_id(number) };
    sample::success(Delivery::first(id, APPLICATION), sequence(number) + 1 + endpoint)
}

/// The first half of the message's id. Those of its attempts follow it.
const fn sequence(number: u64) -> u64 {
    FIRST_SEQUENCE + number * (1 + ENDPOINTS)
}

const fn message_id(number: u64) -> MessageId {
    MessageId::from_parts(sequence(number), number)
}
