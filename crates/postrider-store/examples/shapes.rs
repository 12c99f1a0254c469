//! Measures the embedded store: the cost of a delivery, by thread, and the space that it takes.
//!
//! ```sh
//! cargo run --release -p postrider-store --example shapes -- [existing messages] [waiting]
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
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use postrider::{EndpointId, MessageId};
use postrider_core::{
    delivery::{Delivery, DeliveryId},
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, Claim, Deliveries, DeliveryOrder, EmbeddedStore, Expected, History,
    Hold, Maintenance, MessageFilter, NewMessage, Options, Records, Scan, Scope, SettleBatch,
    Shard, Target,
};

use self::sample::{APPLICATION, FIRST_SEQUENCE, NOW};

const ENDPOINTS: u64 = 1_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|it| it.parse::<u64>().unwrap());
    let existing = numbers.next().unwrap_or(0);
    let waiting = numbers.next().unwrap_or(0);
    let folder = tempfile::tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World { next: FIRST_SEQUENCE };
    let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
    runtime.block_on(furnish(&store));
    if existing > 0 {
        let start = Instant::now();
        runtime.block_on(async {
            for _ in 0..existing / 4_096 {
                world.round(&store, 4_096, Hold::Leased(Timestamp::MAX)).await;
            }
        });
        println!("{existing} messages stored in {:.1?}", start.elapsed());
    }
    if waiting > 0 {
        runtime.block_on(world.pile_up(&store, waiting));
    }
    if existing + waiting > 0 {
        runtime.block_on(catch_up(&store));
        drop(store);
        let start = Instant::now();
        let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
        println!("opened with {waiting} waiting in {:.1?}", start.elapsed());
        runtime.block_on(measure(&store, &mut world, folder.path()));
        runtime.block_on(read(&store));
        runtime.block_on(read_while_busy(&store, &mut world));
        let start = Instant::now();
        let ended =
            runtime.block_on(store.cancel(Scope::Endpoint(APPLICATION, endpoint_id(1)))).unwrap();
        println!("cancelled {ended} deliveries of an endpoint in {:.1?}", start.elapsed());
        drop(store);
        fs::remove_file(folder.path().join("index.db")).unwrap();
        let start = Instant::now();
        drop(EmbeddedStore::open(folder.path(), &Options::default()).unwrap());
        println!("opened without index in {:.1?}", start.elapsed());
    } else {
        runtime.block_on(measure(&store, &mut world, folder.path()));
        runtime.block_on(read(&store));
    }
}

async fn measure(store: &EmbeddedStore, world: &mut World, folder: &Path) {
    println!(
        "{:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>19} {:>19}",
        "batch",
        "per second",
        "cpu µs",
        "commit",
        "index",
        "copy",
        "append p50/p99 µs",
        "settle p50/p99 µs"
    );
    for (batch, rounds) in [(1_u64, 4_000_u64), (16, 4_000), (64, 3_000), (256, 1_000), (1024, 300)]
    {
        catch_up(store).await;
        let (cpu, start) = (threads(), Instant::now());
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (append, settle) = world.round(store, batch, Hold::Leased(Timestamp::MAX)).await;
            times.0.push(append);
            times.1.push(settle);
        }
        let elapsed = start.elapsed();
        catch_up(store).await;
        let after = threads();
        let count = (batch * rounds) as f64;
        let spent = |name: &str| {
            let ticks = after
                .iter()
                .filter(|(it, _)| it.starts_with(name))
                .map(|(it, ticks)| ticks - cpu.get(it).copied().unwrap_or(0));
            // A tick of the process's accounting is 10 ms.
            ticks.sum::<u64>() as f64 * 10_000.0 / count
        };
        println!(
            "{batch:>6} {:>10.0} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>19} {:>19}",
            count / elapsed.as_secs_f64(),
            spent(""),
            spent("store-commit"),
            spent("store-index"),
            spent("store-checkpoin"),
            percentiles(&mut times.0),
            percentiles(&mut times.1),
        );
    }
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let bytes = entry.metadata().unwrap().len();
        println!("{}: {:.0} MB", entry.file_name().display(), bytes as f64 / 1e6);
    }
    let bytes = store.size().await.unwrap().bytes;
    println!("{:.0} bytes per message", bytes as f64 / world.count() as f64);
    println!("{}", peak_memory());
}

async fn read(store: &EmbeddedStore) {
    let page = |after| Scan { after, ascending: false, limit: 50 };
    let of = |number| AttemptsOf::Endpoint(APPLICATION, endpoint_id(number));
    let mut times = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        store.attempts(of(number), AttemptFilter::default(), page(None)).await.unwrap();
        times.push(start.elapsed());
    }
    println!("50 newest attempts of an endpoint: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        let page = Scan { after: None, ascending: false, limit: 50 };
        store.messages(APPLICATION, MessageFilter::default(), page).await.unwrap();
        times.push(start.elapsed());
    }
    println!("50 newest messages: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        store
            .stats(APPLICATION, endpoint_id(number), Timestamp::default(), Timestamp::MAX)
            .await
            .unwrap();
        times.push(start.elapsed());
    }
    println!("counts of an endpoint: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        let claim = Claim {
            now: Timestamp::from_millis(NOW.as_millis() + (1 << 40)),
            lease_until: Timestamp::MAX,
            limit: 256,
            per_endpoint: 256,
            capacities: [].into(),
            shard: Shard::WHOLE,
        };
        store.claim(claim).await.unwrap();
        times.push(start.elapsed());
    }
    println!("claim of 256: {} µs", percentiles(&mut times));
}

/// How long a reader waits while deliveries are stored.
async fn read_while_busy(store: &EmbeddedStore, world: &mut World) {
    let mut times = Vec::new();
    for number in 0..100 {
        let of = AttemptsOf::Endpoint(APPLICATION, endpoint_id(number));
        let page = Scan { after: None, ascending: false, limit: 50 };
        let busy = async {
            for _ in 0..8 {
                world.round(store, 256, Hold::Leased(Timestamp::MAX)).await;
            }
        };
        let list = async {
            let start = Instant::now();
            store.attempts(of, AttemptFilter::default(), page).await.unwrap();
            start.elapsed()
        };
        times.push(tokio::join!(busy, list).1);
    }
    println!("50 newest attempts while 2,048 are delivered: {} µs", percentiles(&mut times));
}

/// Makes the index write the changes that it has collected.
async fn catch_up(store: &EmbeddedStore) {
    store
        .stats(APPLICATION, endpoint_id(0), Timestamp::default(), Timestamp::default())
        .await
        .unwrap();
}

struct World {
    next: u64,
}

impl World {
    fn count(&self) -> u64 {
        // A message and an attempt take one step each.
        (self.next - FIRST_SEQUENCE) / 2
    }

    fn step(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Accepts and delivers a batch; returns how long the two writes took.
    async fn round(
        &mut self,
        store: &EmbeddedStore,
        batch: u64,
        hold: Hold,
    ) -> (Duration, Duration) {
        let messages: Vec<_> = (0..batch).map(|_| self.message(hold)).collect();
        let deliveries: Vec<_> = messages.iter().map(delivery).collect();
        let start = Instant::now();
        store.append(messages).await.unwrap();
        let appended = start.elapsed();
        let settlements =
            deliveries.into_iter().map(|it| sample::success(it, self.step())).collect();
        let batch = Arc::new(SettleBatch { settlements, messages: Vec::new() });
        let start = Instant::now();
        store.settle(batch).await.unwrap();
        (appended, start.elapsed())
    }

    /// Messages for one endpoint that stay undelivered.
    async fn pile_up(&mut self, store: &EmbeddedStore, count: u64) {
        let start = Instant::now();
        for _ in 0..count / 1_024 {
            let hold = Hold::Free(NOW);
            let mut batch: Vec<_> = (0..1_024).map(|_| self.message(hold)).collect();
            for new in &mut batch {
                new.targets[0].endpoint = endpoint_id(1);
            }
            store.append(batch).await.unwrap();
        }
        println!("{count} waiting messages stored in {:.1?}", start.elapsed());
    }

    fn message(&mut self, hold: Hold) -> NewMessage {
        let sequence = self.step();
        // The multiplication spreads neighbours.
        let tail = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let message = sample::message(MessageId::from_parts(sequence, tail));
        let target = Target { endpoint: endpoint_id(tail >> 32), hold, order: DeliveryOrder::Any };
        NewMessage { message: Arc::new(message), targets: vec![target], idempotency: None }
    }
}

fn delivery(new: &NewMessage) -> Delivery {
    let id = DeliveryId { endpoint: new.targets[0].endpoint, message: new.message.id };
    Delivery::first(id, new.message.application)
}

const fn endpoint_id(number: u64) -> EndpointId {
    sample::endpoint_id(number % ENDPOINTS)
}

async fn furnish(store: &EmbeddedStore) {
    store.save(&sample::application(), Expected::New).await.unwrap();
    for number in 0..ENDPOINTS {
        store.save(&sample::endpoint(number), Expected::New).await.unwrap();
    }
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_micros();
    format!("{} / {}", at(50), at(99))
}

/// CPU time of each thread so far, in ticks.
fn threads() -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let Ok(stat) = fs::read_to_string(task.unwrap().path().join("stat")) else { continue };
        let (head, tail) = stat.rsplit_once(')').unwrap();
        let name = head.split_once('(').unwrap().1;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        *found.entry(name.to_owned()).or_default() += ticks;
    }
    found
}

fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM")).unwrap_or_default();
    format!("peak memory: {}", line.trim_start_matches("VmHWM:").trim())
}
