//! Measures the embedded store: what a delivery costs, on which thread, and what it leaves.
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

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    catalog::{Application, AtRest, Endpoint, Ordering, SealedSecret},
    delivery::{Attempt, Delivery, DeliveryId, Response, Settlement, Trigger},
    message::{Format, Message},
    outcome::Outcome,
    retry::Verdict,
    time::Timestamp,
};
use postrider_store::{
    AttemptFilter, AttemptsOf, Claim, Deliveries, DeliveryOrder, EmbeddedStore, Expected, History,
    Hold, Maintenance, MessageFilter, NewMessage, Options, Records, Scan, Scope, SettleBatch,
    Shard, Target,
};

const ENDPOINTS: u64 = 1_000;
const START: u64 = 1_700_000_000_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|it| it.parse::<u64>().unwrap());
    let existing = numbers.next().unwrap_or(0);
    let waiting = numbers.next().unwrap_or(0);
    let folder = tempfile::tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World { next: START << 12 };
    let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
    runtime.block_on(furnish(&store));
    if existing > 0 {
        let begun = Instant::now();
        runtime.block_on(async {
            for _ in 0..existing / 4_096 {
                world.round(&store, 4_096, Hold::Leased(Timestamp::MAX)).await;
            }
        });
        println!("{existing} messages stored in {:.1?}", begun.elapsed());
    }
    if waiting > 0 {
        runtime.block_on(world.pile_up(&store, waiting));
    }
    if existing + waiting > 0 {
        runtime.block_on(catch_up(&store));
        drop(store);
        let begun = Instant::now();
        let store = EmbeddedStore::open(folder.path(), &Options::default()).unwrap();
        println!("opened with {waiting} waiting in {:.1?}", begun.elapsed());
        runtime.block_on(measure(&store, &mut world, folder.path()));
        runtime.block_on(read(&store));
        runtime.block_on(read_while_busy(&store, &mut world));
        let begun = Instant::now();
        let ended = runtime
            .block_on(store.cancel(Scope::Endpoint(application_id(), endpoint_id(1))))
            .unwrap();
        println!("cancelled {ended} deliveries of an endpoint in {:.1?}", begun.elapsed());
        drop(store);
        fs::remove_file(folder.path().join("index.db")).unwrap();
        let begun = Instant::now();
        drop(EmbeddedStore::open(folder.path(), &Options::default()).unwrap());
        println!("opened without index in {:.1?}", begun.elapsed());
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
        let (cpu, begun) = (threads(), Instant::now());
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (append, settle) = world.round(store, batch, Hold::Leased(Timestamp::MAX)).await;
            times.0.push(append);
            times.1.push(settle);
        }
        let elapsed = begun.elapsed();
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
    let of = |number| AttemptsOf::Endpoint(application_id(), endpoint_id(number));
    let mut times = Vec::new();
    for number in 0..200 {
        let begun = Instant::now();
        store.attempts(of(number), AttemptFilter::default(), page(None)).await.unwrap();
        times.push(begun.elapsed());
    }
    println!("50 newest attempts of an endpoint: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let page = Scan { after: None, ascending: false, limit: 50 };
        store.messages(application_id(), MessageFilter::default(), page).await.unwrap();
        times.push(begun.elapsed());
    }
    println!("50 newest messages: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for number in 0..200 {
        let begun = Instant::now();
        store
            .stats(application_id(), endpoint_id(number), Timestamp::default(), Timestamp::MAX)
            .await
            .unwrap();
        times.push(begun.elapsed());
    }
    println!("counts of an endpoint: {} µs", percentiles(&mut times));
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let claim = Claim {
            now: Timestamp::from_millis(START + (1 << 40)),
            lease_until: Timestamp::MAX,
            limit: 256,
            per_endpoint: 256,
            capacities: [].into(),
            shard: Shard::WHOLE,
        };
        store.claim(claim).await.unwrap();
        times.push(begun.elapsed());
    }
    println!("claim of 256: {} µs", percentiles(&mut times));
}

/// How long a reader waits who asks while deliveries go on.
async fn read_while_busy(store: &EmbeddedStore, world: &mut World) {
    let mut times = Vec::new();
    for number in 0..100 {
        let of = AttemptsOf::Endpoint(application_id(), endpoint_id(number));
        let page = Scan { after: None, ascending: false, limit: 50 };
        let busy = async {
            for _ in 0..8 {
                world.round(store, 256, Hold::Leased(Timestamp::MAX)).await;
            }
        };
        let asked = async {
            let begun = Instant::now();
            store.attempts(of, AttemptFilter::default(), page).await.unwrap();
            begun.elapsed()
        };
        times.push(tokio::join!(busy, asked).1);
    }
    println!("50 newest attempts while 2,048 are delivered: {} µs", percentiles(&mut times));
}

/// Makes the index write what it gathered.
async fn catch_up(store: &EmbeddedStore) {
    store
        .stats(application_id(), endpoint_id(0), Timestamp::default(), Timestamp::default())
        .await
        .unwrap();
}

struct World {
    next: u64,
}

impl World {
    fn count(&self) -> u64 {
        // A message and an attempt take one step each.
        (self.next - (START << 12)) / 2
    }

    fn step(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Accepts and delivers a batch; how long the two writes took.
    async fn round(
        &mut self,
        store: &EmbeddedStore,
        batch: u64,
        hold: Hold,
    ) -> (Duration, Duration) {
        let messages: Vec<_> = (0..batch).map(|_| self.message(hold)).collect();
        let deliveries: Vec<_> = messages.iter().map(delivery).collect();
        let begun = Instant::now();
        store.append(messages).await.unwrap();
        let appended = begun.elapsed();
        let settlements = deliveries.iter().map(|it| self.settlement(*it)).collect();
        let batch = Arc::new(SettleBatch { settlements, messages: Vec::new() });
        let begun = Instant::now();
        store.settle(batch).await.unwrap();
        (appended, begun.elapsed())
    }

    /// Messages for one endpoint that stay undelivered.
    async fn pile_up(&mut self, store: &EmbeddedStore, count: u64) {
        let begun = Instant::now();
        for _ in 0..count / 1_024 {
            let hold = Hold::Free(Timestamp::from_millis(START));
            let mut batch: Vec<_> = (0..1_024).map(|_| self.message(hold)).collect();
            for new in &mut batch {
                new.targets[0].endpoint = endpoint_id(1);
            }
            store.append(batch).await.unwrap();
        }
        println!("{count} waiting messages stored in {:.1?}", begun.elapsed());
    }

    fn message(&mut self, hold: Hold) -> NewMessage {
        let sequence = self.step();
        let body = format!(
            r#"{{"type":"user.created","number":{sequence},"text":"{}"}}"#,
            "x".repeat(450)
        );
        let message = Message {
            id: MessageId::from_parts(sequence, sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            application: application_id(),
            event_type: "user.created".parse().unwrap(),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: Some(Bytes::from(body)),
            format: Format::Json,
            deliver_at: None,
            body_until: Timestamp::from_millis(START + 90 * 86_400_000),
        };
        let endpoint = endpoint_id(sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
        let target = Target { endpoint, hold, order: DeliveryOrder::Any };
        NewMessage { message: Arc::new(message), targets: vec![target], idempotency: None }
    }

    fn settlement(&mut self, delivery: Delivery) -> Settlement {
        let sequence = self.step();
        let attempt = Attempt {
            id: AttemptId::from_parts(sequence, sequence),
            delivery: delivery.id,
            number: 1,
            trigger: Trigger::Scheduled,
            at: Timestamp::from_millis(START),
            duration: Duration::from_micros(1_234),
            url: "https://example.com/webhooks/postrider".to_owned(),
            address: Some("192.0.2.1:443".parse().unwrap()),
            outcome: Outcome::Answered { status: 200, retry_after: None },
            response: Some(Response {
                headers: vec![
                    ("content-length".to_owned(), "2".to_owned()),
                    ("date".to_owned(), "Tue, 14 Nov 2023 22:13:20 GMT".to_owned()),
                ],
                body: Bytes::from_static(b"ok"),
            }),
        };
        Settlement { delivery, attempt, verdict: Verdict::Delivered, failing_since: None }
    }
}

fn delivery(new: &NewMessage) -> Delivery {
    let id = DeliveryId { endpoint: new.targets[0].endpoint, message: new.message.id };
    Delivery::first(id, new.message.application)
}

const fn application_id() -> ApplicationId {
    ApplicationId::from_parts(1, 1)
}

const fn endpoint_id(number: u64) -> EndpointId {
    EndpointId::from_parts(1, number % ENDPOINTS)
}

async fn furnish(store: &EmbeddedStore) {
    let now = Timestamp::from_millis(START);
    let application = Application {
        id: application_id(),
        organization: "org_test".parse().unwrap(),
        uid: None,
        name: String::new(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        created_at: now,
        updated_at: now,
    };
    store.save(&application, Expected::New).await.unwrap();
    for number in 0..ENDPOINTS {
        let endpoint = Endpoint {
            id: endpoint_id(number),
            application: application_id(),
            uid: None,
            url: "https://example.com/webhooks/postrider".to_owned(),
            description: String::new(),
            event_types: None,
            channels: None,
            headers: AtRest::default(),
            metadata: BTreeMap::new(),
            disabled: false,
            throttle_rate: None,
            strict_rate: false,
            ordering: Ordering::Any,
            trusted_certificates: None,
            secret: SealedSecret(Vec::new()),
            retired_secrets: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        store.save(&endpoint, Expected::New).await.unwrap();
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
