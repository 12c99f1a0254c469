//! Measures claims while very many messages are scheduled for later.
//!
//! ```sh
//! cargo run --release -p postrider-store --example scheduled -- [messages] [PostgreSQL URL]
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that fails should say so at once, and it needs a clock"
)]

#[expect(dead_code, reason = "nothing is settled")]
#[path = "sample/data.rs"]
mod sample;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use postrider::MessageId;
use postrider_core::{message::Message, time::Timestamp};
use postrider_store::{
    Claim, DeliveryOrder, EmbeddedStore, Expected, Hold, NewMessage, Options, PostgresOptions,
    PostgresStore, Records, Shard, Store, Target,
};

use self::sample::{APPLICATION, FIRST_SEQUENCE, NOW, endpoint_id};

const ENDPOINTS: u64 = 100;
const BATCH: u64 = 1_024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The example does not settle anything.
const LEASE: Duration = Duration::from_secs(60 * 60);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(1_000_000, |it| it.parse().unwrap());
    if let Some(url) = arguments.next() {
        let options = PostgresOptions { url, ..PostgresOptions::default() };
        measure(&PostgresStore::open(options).await.unwrap(), count).await;
    } else {
        let folder = tempfile::tempdir_in(".").unwrap();
        let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
        measure(&store, count).await;
    }
}

async fn measure(store: &dyn Store, count: u64) {
    store.save(&sample::application(), Expected::New).await.unwrap();
    for number in 0..ENDPOINTS {
        store.save(&sample::endpoint(number), Expected::New).await.unwrap();
    }
    println!("claims with nothing scheduled: {}", claims(store, 0).await);
    let start = Instant::now();
    for first in (0..count).step_by(usize::try_from(BATCH).unwrap()) {
        let batch = (first..count.min(first + BATCH)).map(|it| new(it, Some(at(it)))).collect();
        store.append(batch).await.unwrap();
    }
    println!("{count} messages scheduled in {:.1?}", start.elapsed());
    println!("claims of one due message: {}", claims(store, count).await);
}

/// A time in the following year.
fn at(number: u64) -> Timestamp {
    NOW + DAY + Duration::from_secs(number % 31_000_000)
}

/// Appends a message that is due, and claims it, 500 times. Returns how long a claim takes.
async fn claims(store: &dyn Store, first: u64) -> String {
    let mut times = Vec::new();
    for number in first + (1 << 30)..first + (1 << 30) + 500 {
        store.append(vec![new(number, None)]).await.unwrap();
        let claim = Claim {
            now: NOW,
            lease_until: NOW + LEASE,
            limit: 256,
            per_endpoint: 256,
            capacities: [].into(),
            shard: Shard::WHOLE,
        };
        let start = Instant::now();
        let found = store.claim(claim).await.unwrap();
        times.push(start.elapsed());
        assert_eq!(found.deliveries.len(), 1);
    }
    times.sort_unstable();
    let percentile = |share: usize| times[times.len() * share / 100].as_micros();
    format!("{} µs (median), {} µs (p99)", percentile(50), percentile(99))
}

fn new(number: u64, deliver_at: Option<Timestamp>) -> NewMessage {
    // The multiplication spreads neighbours.
    let tail = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // All ids are older than the claims.
    let sequence = FIRST_SEQUENCE - (1 << 40) + number;
    let message = sample::message(MessageId::from_parts(sequence, tail));
    let hold = Hold::Free(deliver_at.unwrap_or(NOW));
    let endpoint = endpoint_id(tail % ENDPOINTS);
    let target = Target { endpoint, hold, order: DeliveryOrder::Any };
    let message = Message { application: APPLICATION, deliver_at, ..message };
    NewMessage { message: Arc::new(message), targets: vec![target], idempotency: None }
}
