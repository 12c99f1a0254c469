//! The task `bench`: Postrider beside a forwarder that stores nothing, on this machine, now.
//!
//! Everything runs in processes of its own, so that their CPU time can be told apart: the
//! receiver, the generator and the reference are parts of this program, started again.

#![expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod clock;
mod fill;
mod forwarder;
mod generator;
mod latency;
mod load;
mod payload;
mod postgres;
mod process;
mod receiver;
mod report;
mod scenario;
mod soak;
mod subject;
mod tenants;
mod webhook;

use std::{os::unix::process::CommandExt, process::Command, time::Duration};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use self::{
    load::{Bench, Load, Sample},
    report::{Column, Report, Spread},
    subject::{Naive, Postrider, Setup, StoreKind},
};

/// The endpoint of the receiver that the reference posts to.
const NAIVE: usize = 0;

/// Those that Postrider delivers to come after it.
const POSTRIDER: usize = 1;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Prints one JSON object with the key `ratio` instead of the table
    #[arg(long)]
    json: bool,
    /// One short round and small scenarios: to see that it works, not for its numbers
    #[arg(long)]
    quick: bool,
    /// Rounds, in each of which the reference and Postrider run after each other
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each run
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Connections that saturate Postrider
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Connections that saturate Postrider on PostgreSQL, whose answers take longer
    #[arg(long, default_value_t = 256)]
    postgres_connections: usize,
    /// Connections that saturate the reference
    #[arg(long, default_value_t = 64)]
    naive_connections: usize,
    /// Where Postrider stores everything; `both` measures one beside the other
    #[arg(long, value_delimiter = ',', default_value = "embedded")]
    store: Vec<Stores>,
    /// How many nodes share a PostgreSQL store; the scenarios run with the first of the numbers
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    nodes: Vec<usize>,
    /// Which scenarios run after the rounds
    #[arg(
        long,
        alias = "scenario",
        value_delimiter = ',',
        default_value = "fan-out,dead,silent,stored,receive,tenants"
    )]
    scenarios: Vec<scenario::Name>,
    /// Messages that wait for the dead endpoint
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Messages stored before the full store is measured
    #[arg(long, default_value_t = 10_000_000)]
    stored: u64,
    /// Applications that are published to in turn
    #[arg(long, default_value_t = 100_000)]
    tenants: u64,
    /// Minutes of the mixed load
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Takes the binaries as they were built
    #[arg(long, hide = true)]
    built: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stores {
    Embedded,
    Postgres,
    Both,
}

/// A process of the benchmark.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Part {
    Receiver,
    Forwarder { target: String },
    Generator { order: String },
    Fill { target: String, messages: u64 },
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    if !arguments.built {
        return build_and_run();
    }
    let arguments = arguments.quickened();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        // Dropping what is measured ends its processes and removes its data.
        tokio::select! {
            result = measure(&arguments) => result,
            _ = interrupted.recv() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

pub(crate) fn run_part(part: Part) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    match part {
        Part::Receiver => runtime.block_on(receiver::run()),
        Part::Forwarder { target } => runtime.block_on(forwarder::run(target)),
        Part::Fill { target, messages } => runtime.block_on(fill::run(&target, messages)),
        Part::Generator { order } => {
            runtime.block_on(generator::run(serde_json::from_str(&order)?))
        },
    }
}

/// Builds this program and Postrider as they are released, and becomes the former.
fn build_and_run() -> anyhow::Result<()> {
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "xtask", "--package", "postrider-cli"])
        .status()
        .context("cargo build")?;
    ensure!(built.success(), "the release build did not succeed");
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(|profile| profile.parent()).context("no target")?;
    let arguments = std::env::args_os().skip(1);
    Err(Command::new(target.join("release/xtask")).args(arguments).arg("--built").exec().into())
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let beside = program.parent().context("no folder")?;
    // Beside the binaries, because a temporary folder may be in memory.
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
    let mut bench = Bench::start(folder.path().to_owned()).await?;
    let mut report = Report {
        machine: process::machine(folder.path()),
        settings: arguments.settings(),
        ..Report::default()
    };
    if arguments.uses(StoreKind::Postgres) {
        report.settings.push(("PostgreSQL", bench.server().await?.words().await?));
    }
    rounds(&mut bench, arguments, &mut report).await?;
    for setup in arguments.scenario_setups() {
        for name in arguments.scenarios.iter().filter(|name| **name != scenario::Name::None) {
            report.scenarios.push(scenario::run(*name, setup, &mut bench, arguments).await?);
        }
    }
    show(&if arguments.json { report.json().to_string() } else { report.table() });
    Ok(())
}

/// What is compared in the rounds, and what was measured of it.
#[derive(Debug)]
struct Subject {
    setup: Setup,
    postrider: Postrider,
    until_healthy: Duration,
    disk_before: u64,
    samples: Samples,
}

async fn rounds(
    bench: &mut Bench,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let naive = Naive::start(&bench.url(NAIVE)).await?;
    let mut reference = Samples::default();
    let mut subjects = Vec::new();
    for setup in arguments.setups() {
        subjects.push(Subject::start(bench, setup).await?);
    }
    for round in 0..arguments.rounds {
        progress(&format!("round {} of {}", round + 1, arguments.rounds));
        let load = arguments.saturate_naive();
        reference.saturated.push(naive_load(bench, &naive, load).await?);
        for subject in &mut subjects {
            let sample =
                postrider_load(bench, &subject.postrider, arguments.saturate(subject.setup.store))
                    .await?;
            subject.samples.saturated.push(sample);
        }
    }
    for _ in 0..arguments.rounds {
        progress("half of the saturated rate, then 1,000 per second");
        let calm = arguments.at_rate(1_000.0);
        let half = arguments.at_rate(reference.half_rate());
        reference.half.push(naive_load(bench, &naive, half).await?);
        reference.calm.push(naive_load(bench, &naive, calm).await?);
        for Subject { postrider, samples, .. } in &mut subjects {
            let half = arguments.at_rate(samples.half_rate());
            samples.half.push(postrider_load(bench, postrider, half).await?);
            samples.calm.push(postrider_load(bench, postrider, calm).await?);
        }
    }
    report.naive = reference.numbers();
    report.naive.push(("peak_rss_mib".to_owned(), naive.part.process.memory_mib()?.0));
    report.naive.push(("start_up_ms".to_owned(), naive.until_ready.as_secs_f64() * 1e3));
    for subject in subjects {
        report.columns.push(subject.end(&reference).await?);
    }
    Ok(())
}

impl Subject {
    async fn start(bench: &mut Bench, setup: Setup) -> anyhow::Result<Self> {
        let (postrider, until_healthy) = scenario::live(bench, setup, "rounds").await?;
        let disk_before = postrider.disk_bytes().await?;
        Ok(Self { setup, postrider, until_healthy, disk_before, samples: Samples::default() })
    }

    async fn end(self, reference: &Samples) -> anyhow::Result<Column> {
        let Self { setup, postrider, samples, .. } = self;
        let stored = samples.accepted();
        let disk = postrider.disk_bytes().await?.saturating_sub(self.disk_before) as f64;
        let mut numbers = samples.numbers();
        numbers.extend([
            ("peak_rss_mib".to_owned(), postrider.memory_mib()?.0),
            ("start_up_ms".to_owned(), self.until_healthy.as_secs_f64() * 1e3),
            ("disk_bytes_per_message".to_owned(), disk / stored.max(1) as f64),
            ("messages_stored".to_owned(), stored as f64),
        ]);
        if let Some(database) = &postrider.place.database {
            numbers.extend(samples.database_numbers());
            progress(&format!("what took most of the database's time with {}", setup.name()));
            database.statements().await?.iter().for_each(|line| progress(line));
        }
        postrider.remove().await?;
        let pairs = reference.rates().zip(samples.rates());
        let ratios = pairs.map(|(naive, ours)| ours / naive).collect();
        Ok(Column { name: setup.name(), ratios, numbers })
    }
}

async fn naive_load(bench: &mut Bench, naive: &Naive, load: Load) -> anyhow::Result<Sample> {
    let sample = bench.load(naive.target(), load, NAIVE..NAIVE + 1).await?;
    progress(&format!("  {:18} {}", "naive", sample.line()));
    Ok(sample)
}

async fn postrider_load(
    bench: &mut Bench,
    postrider: &Postrider,
    load: Load,
) -> anyhow::Result<Sample> {
    let endpoints = POSTRIDER..POSTRIDER + 1;
    let sample = bench.load(postrider.target(), load, endpoints).await?;
    progress(&format!("  {:18} {}", postrider.place.setup.name(), sample.line()));
    Ok(sample)
}

/// All samples of one side.
#[derive(Debug, Default)]
struct Samples {
    saturated: Vec<Sample>,
    half: Vec<Sample>,
    calm: Vec<Sample>,
}

impl Samples {
    fn rates(&self) -> impl Iterator<Item = f64> {
        self.saturated.iter().map(|sample| sample.deliveries_per_second)
    }

    fn all(&self) -> impl Iterator<Item = &Sample> {
        self.saturated.iter().chain(&self.half).chain(&self.calm)
    }

    fn accepted(&self) -> u64 {
        self.all().map(|sample| sample.accepted).sum()
    }

    /// Half of the rate that saturated it.
    fn half_rate(&self) -> f64 {
        Spread::of(self.rates()).median / 2.0
    }

    fn numbers(&self) -> report::Numbers {
        let rate = Spread::of(self.rates());
        let named = [
            ("deliveries_per_second", rate.median),
            ("deliveries_per_second_least", rate.least),
            ("deliveries_per_second_most", rate.most),
            ("cpu_us_per_delivery", median(&self.saturated, |sample| sample.cpu_us_per_delivery)),
            ("catch_up_s", median(&self.saturated, |sample| sample.catch_up_seconds)),
            (
                "saturated_accept_to_202_p50_ms",
                median(&self.saturated, |sample| sample.answers.p50_ms),
            ),
            ("half_load_per_second", median(&self.half, |sample| sample.deliveries_per_second)),
            ("half_load_p50_ms", median(&self.half, |sample| sample.latency.p50_ms)),
            ("half_load_p99_ms", median(&self.half, |sample| sample.latency.p99_ms)),
            (
                "half_load_cpu_us_per_delivery",
                median(&self.half, |sample| sample.cpu_us_per_delivery),
            ),
            ("1000_per_second_p50_ms", median(&self.calm, |sample| sample.latency.p50_ms)),
            ("1000_per_second_p99_ms", median(&self.calm, |sample| sample.latency.p99_ms)),
            ("1000_per_second_cpu_us", median(&self.calm, |sample| sample.cpu_us_per_delivery)),
            ("other_processes_cores", median(&self.saturated, |sample| sample.other_cores)),
            ("refused_requests", self.all().map(Sample::refusals).sum::<u64>() as f64),
            ("lost_deliveries", self.all().map(|sample| sample.lost).sum::<u64>() as f64),
        ];
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Samples {
    /// What only a database has.
    fn database_numbers(&self) -> report::Numbers {
        let cpu = |samples: &[Sample]| median(samples, |sample| sample.database_us_per_delivery);
        let statements = |samples: &[Sample]| median(samples, |it| it.statements_per_delivery);
        let commits = |samples: &[Sample]| median(samples, |it| it.commits_per_delivery);
        let named = [
            ("database_cpu_us_per_delivery", cpu(&self.saturated)),
            (report::STATEMENTS, statements(&self.saturated)),
            (report::COMMITS, commits(&self.saturated)),
            ("wal_bytes_per_message", median(&self.saturated, |it| it.wal_bytes_per_delivery)),
            ("half_load_database_cpu_us", cpu(&self.half)),
            ("half_load_statements_per_message", statements(&self.half)),
            ("half_load_commits_per_message", commits(&self.half)),
            ("1000_per_second_database_cpu_us", cpu(&self.calm)),
            ("1000_per_second_statements_per_message", statements(&self.calm)),
            ("1000_per_second_commits_per_message", commits(&self.calm)),
        ];
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    Spread::of(samples.iter().map(of)).median
}

impl Arguments {
    fn uses(&self, store: StoreKind) -> bool {
        let own = match store {
            StoreKind::Embedded => Stores::Embedded,
            StoreKind::Postgres => Stores::Postgres,
        };
        self.store.iter().any(|named| *named == own || *named == Stores::Both)
    }

    /// What takes part in the rounds.
    fn setups(&self) -> Vec<Setup> {
        let embedded = self.uses(StoreKind::Embedded).then_some(1);
        let postgres = self.nodes.iter().filter(|_| self.uses(StoreKind::Postgres));
        embedded
            .map(|nodes| Setup { store: StoreKind::Embedded, nodes })
            .into_iter()
            .chain(postgres.map(|nodes| Setup { store: StoreKind::Postgres, nodes: *nodes }))
            .collect()
    }

    /// What the scenarios are run with: one of each store.
    fn scenario_setups(&self) -> Vec<Setup> {
        let mut setups = self.setups();
        setups.dedup_by_key(|setup| setup.store);
        setups
    }

    fn quickened(self) -> Self {
        if !self.quick {
            return self;
        }
        Self {
            rounds: 1,
            seconds: 1.5,
            backlog: 20_000,
            stored: 50_000,
            tenants: 1_000,
            minutes: 0.5,
            ..self
        }
    }

    fn saturate(&self, store: StoreKind) -> Load {
        let connections = match store {
            StoreKind::Embedded => self.connections,
            StoreKind::Postgres => self.postgres_connections,
        };
        Load { connections, rate: None, seconds: self.seconds }
    }

    fn saturate_naive(&self) -> Load {
        Load { connections: self.naive_connections, rate: None, seconds: self.seconds }
    }

    fn at_rate(&self, rate: f64) -> Load {
        Load { connections: self.connections, rate: Some(rate), seconds: self.seconds }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("payload", format!("{} bytes of JSON", payload::LENGTH)),
            ("rounds", format!("{} of {} s", self.rounds, self.seconds)),
            (
                "connections",
                format!(
                    "naive {}, postrider {}, on PostgreSQL {}",
                    self.naive_connections, self.connections, self.postgres_connections
                ),
            ),
        ]
    }
}

/// Writes a line of JSON for the process that started this one.
fn say(value: &impl Serialize) -> anyhow::Result<()> {
    show(&serde_json::to_string(value)?);
    Ok(())
}

/// Becomes ready when the process that started this one closes its input, or ends.
async fn end_of_input() {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _sent = end.send(());
    });
    let _ended = ended.await;
}

#[expect(clippy::print_stdout, reason = "the result of a command line tool")]
fn show(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
fn progress(text: &str) {
    eprintln!("{text}");
}
