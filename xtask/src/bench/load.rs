//! One load on one server, and what was measured while it lasted.

use std::{
    collections::BTreeMap, fs::Permissions, ops::Range, os::unix::fs::PermissionsExt,
    path::PathBuf, sync::Arc, time::Duration,
};

use serde::Serialize;

use super::{
    clock,
    generator::{Order, Sent},
    latency::Summary,
    place::{Place, Setup, StoreKind},
    postgres::{Database, Server, Work},
    process::{self, Part, Process},
    receiver::Count,
};

/// The load before the measured part, which opens connections and fills caches.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long to wait for the next arrival.
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);

/// The load goes on a little longer than the measured part.
const MARGIN: Duration = Duration::from_millis(300);

/// How long a generator may wait for its last answers.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a node may work on after its load.
const CATCH_UP: Duration = Duration::from_secs(60);

/// The receiver, and the folder for the data of what is measured.
#[derive(Debug)]
pub(crate) struct Bench {
    receiver: Part,
    receiver_address: std::net::SocketAddr,
    next_number: u64,
    folder: PathBuf,
    /// Started when it is needed first.
    server: Option<Arc<Server>>,
    /// Whether the generator and the receiver leave the processors to what is measured.
    steps_back: bool,
}

/// What a load is put on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) nodes: &'a [Process],
    pub(crate) database: Option<&'a Database>,
    pub(crate) order: &'a Order,
}

/// The size and duration of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Requests per second of an open loop; none for a closed one.
    pub(crate) rate: Option<f64>,
    /// The measured part.
    pub(crate) seconds: f64,
}

/// What was measured under a load.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) deliveries_per_second: f64,
    /// From the moment a request was meant to leave to the arrival at the receiver.
    pub(crate) latency: Summary,
    /// From the same moment to the answer of the server.
    pub(crate) answers: Summary,
    pub(crate) cpu_us_per_delivery: f64,
    /// The same of each thread of the first node.
    pub(crate) threads_us_per_delivery: BTreeMap<String, f64>,
    /// The same of the database.
    pub(crate) database_us_per_delivery: f64,
    /// What the database did per delivery in the measured part.
    pub(crate) statements_per_delivery: f64,
    pub(crate) commits_per_delivery: f64,
    pub(crate) wal_bytes_per_delivery: f64,
    /// CPU that others used meanwhile, in cores.
    pub(crate) other_cores: f64,
    /// How long the server delivered or worked after the last request.
    pub(crate) catch_up_seconds: f64,
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeMap<u16, u64>,
    /// Deliveries of accepted messages that never arrived.
    pub(crate) lost: u64,
}

impl Bench {
    pub(crate) async fn start(folder: PathBuf) -> anyhow::Result<Self> {
        Self::new(folder, false).await
    }

    /// The same with a receiver of its own, which only runs, as the generator, when what is
    /// measured does not want the processors.
    pub(crate) async fn stepping_back(&self) -> anyhow::Result<Self> {
        let server = self.server.clone();
        Ok(Self { server, ..Self::new(self.folder.clone(), true).await? })
    }

    async fn new(folder: PathBuf, steps_back: bool) -> anyhow::Result<Self> {
        let mut receiver = part(&["receiver"], steps_back)?;
        let receiver_address = receiver.read_line(Duration::from_secs(10)).await?;
        Ok(Self { receiver, receiver_address, next_number: 0, folder, server: None, steps_back })
    }

    /// A new place for data with this name.
    pub(crate) async fn place(&mut self, setup: Setup, name: &str) -> anyhow::Result<Place> {
        let name = format!("{name}-{}", setup.name());
        let folder = tempfile::Builder::new().prefix(&name).tempdir_in(&self.folder)?;
        let database = match setup.store {
            StoreKind::Embedded => None,
            StoreKind::Postgres => Some(self.server().await?.database(&name).await?),
        };
        Ok(Place { setup, folder, database, shards: None })
    }

    /// The PostgreSQL server, with its data in the folder of the benchmark.
    pub(crate) async fn server(&mut self) -> anyhow::Result<Arc<Server>> {
        if let Some(server) = &self.server {
            return Ok(Arc::clone(server));
        }
        // It may run as another user, which needs access to the folder.
        std::fs::set_permissions(&self.folder, Permissions::from_mode(0o711))?;
        let server = Server::start(self.folder.join("server")).await?;
        Ok(Arc::clone(self.server.insert(server)))
    }

    /// The URL of an endpoint of the receiver.
    pub(crate) fn url(&self, path: impl std::fmt::Display) -> String {
        format!("http://{}/{path}", self.receiver_address)
    }

    /// Puts the load on the target, waits until all of it arrived at the endpoints (those of
    /// the receiver with these numbers) and the target rests.
    pub(crate) async fn load(
        &mut self,
        target: Target<'_>,
        load: Load,
        endpoints: Range<usize>,
    ) -> anyhow::Result<Sample> {
        let before: Count = self.receiver.ask().await?;
        let (cpu_before, threads_before) = (target.cpu()?, target.threads()?);
        let mut generator = self.generate(Order {
            connections: load.connections,
            rate: load.rate,
            seconds: WARM_UP.as_secs_f64() + load.seconds + MARGIN.as_secs_f64(),
            ..target.order.clone()
        })?;
        tokio::time::sleep(WARM_UP).await;
        let from = self.mark(target, &generator).await?;
        tokio::time::sleep(Duration::from_secs_f64(load.seconds)).await;
        let until = self.mark(target, &generator).await?;
        let sent: Sent = generator.read_line(TIMEOUT).await?;
        let ended = clock::now();
        self.next_number += sent.requests;
        let last = self.drain(&before, sent.accepted, &endpoints).await?;
        let rested = target.quiet().await?;
        let catch_up = ended.elapsed().saturating_sub(rested);
        let cpu = target.cpu()?.since(cpu_before);
        let threads = target.threads()?;
        let all = (last.arrivals - before.arrivals).max(1) as f64;
        let window = (until.count.at_nanos - from.count.at_nanos) as f64 / 1e9;
        let arrivals = (until.count.arrivals - from.count.arrivals) as f64;
        let work = until.work - from.work;
        Ok(Sample {
            deliveries_per_second: arrivals / window,
            latency: until.count.latency,
            answers: sent.answers,
            cpu_us_per_delivery: cpu.nodes.as_secs_f64() * 1e6 / all,
            threads_us_per_delivery: used(&threads, &threads_before)
                .map(|(name, cpu)| (name.clone(), cpu.as_secs_f64() * 1e6 / all))
                .collect(),
            database_us_per_delivery: cpu.database.as_secs_f64() * 1e6 / all,
            statements_per_delivery: work.statements as f64 / arrivals.max(1.0),
            commits_per_delivery: work.commits as f64 / arrivals.max(1.0),
            wal_bytes_per_delivery: work.wal_bytes as f64 / arrivals.max(1.0),
            other_cores: until.others_since(&from).as_secs_f64() / window,
            catch_up_seconds: catch_up.as_secs_f64(),
            accepted: sent.accepted,
            lost: missing(&before, &last, sent.accepted, &endpoints),
            refused: sent.refused,
        })
    }

    pub(crate) fn generate(&self, order: Order) -> anyhow::Result<Part> {
        let order = Order { first: self.next_number, ..order };
        part(&["generator", &serde_json::to_string(&order)?], self.steps_back)
    }

    async fn mark(&mut self, target: Target<'_>, generator: &Part) -> anyhow::Result<Mark> {
        let count = self.receiver.ask().await?;
        let work = target.work().await?;
        let theirs = target.cpu()?;
        let ours = Process::own_cpu()? + generator.process.cpu()? + self.receiver.process.cpu()?;
        let known_cpu = ours + theirs.nodes + theirs.database;
        Ok(Mark { count, work, known_cpu, all_cpu: process::machine_cpu()? })
    }

    /// Waits until everything accepted has arrived, or nothing does any more.
    async fn drain(
        &mut self,
        before: &Count,
        accepted: u64,
        endpoints: &Range<usize>,
    ) -> anyhow::Result<Count> {
        let mut moved = clock::now();
        let mut last: Count = self.receiver.ask().await?;
        while missing(before, &last, accepted, endpoints) > 0 && moved.elapsed() < IDLE_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now: Count = self.receiver.ask().await?;
            if now.arrivals > last.arrivals {
                moved = clock::now();
            }
            last = now;
        }
        Ok(last)
    }
}

fn part(arguments: &[&str], steps_back: bool) -> anyhow::Result<Part> {
    let part = Part::start(arguments)?;
    if steps_back {
        part.process.step_back()?;
    }
    Ok(part)
}

/// The state of things at an end of the measured part.
#[derive(Debug)]
struct Mark {
    count: Count,
    work: Work,
    /// Of all processes of the benchmark.
    known_cpu: Duration,
    all_cpu: Duration,
}

impl Mark {
    /// CPU time that none of our processes used since then.
    fn others_since(&self, from: &Self) -> Duration {
        let ours = self.known_cpu.saturating_sub(from.known_cpu);
        self.all_cpu.saturating_sub(from.all_cpu).saturating_sub(ours)
    }
}

/// CPU time of a target.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    nodes: Duration,
    database: Duration,
}

impl Cpu {
    fn since(self, before: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_sub(before.nodes),
            database: self.database.saturating_sub(before.database),
        }
    }
}

impl Target<'_> {
    fn cpu(&self) -> anyhow::Result<Cpu> {
        let nodes = self.nodes.iter().map(Process::cpu).sum::<anyhow::Result<Duration>>()?;
        let database = self.database.map_or(Ok(Duration::ZERO), |it| it.server().cpu())?;
        Ok(Cpu { nodes, database })
    }

    fn threads(&self) -> anyhow::Result<Threads> {
        self.nodes.first().map_or(Ok(Threads::new()), Process::threads)
    }

    async fn work(&self) -> anyhow::Result<Work> {
        match self.database {
            Some(database) => database.work().await,
            None => Ok(Work::default()),
        }
    }

    /// Waits until its nodes rest, one after the other; how long that takes at least.
    async fn quiet(&self) -> anyhow::Result<Duration> {
        let mut rested = Duration::ZERO;
        for node in self.nodes {
            node.quiet(CATCH_UP).await?;
            rested += process::QUIET;
        }
        Ok(rested)
    }
}

type Threads = BTreeMap<String, Duration>;

/// What each thread has used since.
fn used<'a>(now: &'a Threads, before: &'a Threads) -> impl Iterator<Item = (&'a String, Duration)> {
    now.iter().map(|(name, cpu)| {
        (name, cpu.saturating_sub(before.get(name).copied().unwrap_or_default()))
    })
}

/// Deliveries that did not arrive, over all the endpoints.
fn missing(before: &Count, now: &Count, accepted: u64, endpoints: &Range<usize>) -> u64 {
    let arrived = |count: &Count, endpoint| count.distinct.get(&endpoint).copied().unwrap_or(0);
    let missing =
        |endpoint| accepted.saturating_sub(arrived(now, endpoint) - arrived(before, endpoint));
    endpoints.clone().map(missing).sum()
}

impl Sample {
    /// The sample on one line, to show progress.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:>6.0}/s, arrival p50 {:.2} p99 {:.2} ms, answer p50 {:.2} p99 {:.2} ms, \
             {:.1} + {:.1} us CPU, caught up in {:.1} s, others {:.2} cores, refused {}, lost {}",
            self.deliveries_per_second,
            self.latency.p50_ms,
            self.latency.p99_ms,
            self.answers.p50_ms,
            self.answers.p99_ms,
            self.cpu_us_per_delivery,
            self.database_us_per_delivery,
            self.catch_up_seconds,
            self.other_cores,
            self.refusals(),
            self.lost
        )
    }

    pub(crate) fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }
}
