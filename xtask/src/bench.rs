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
mod process;
mod receiver;
mod report;
mod scenario;
mod subject;

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use self::{
    load::{Bench, Load, Sample},
    report::{Report, Spread},
    subject::{Naive, Postrider},
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
    /// Connections that saturate the reference
    #[arg(long, default_value_t = 64)]
    naive_connections: usize,
    /// Which scenarios run after the rounds
    #[arg(long, value_delimiter = ',', default_value = "fan-out,dead,silent,stored")]
    scenarios: Vec<scenario::Name>,
    /// Messages that wait for the dead endpoint
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Messages stored before the full store is measured
    #[arg(long, default_value_t = 10_000_000)]
    stored: u64,
    /// Takes the binaries as they were built
    #[arg(long, hide = true)]
    built: bool,
}

/// A process of the benchmark.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Part {
    Receiver,
    Forwarder { target: String },
    Generator { order: String },
    Fill { folder: PathBuf, messages: u64 },
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
        Part::Fill { folder, messages } => runtime.block_on(fill::run(&folder, messages)),
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
    rounds(&mut bench, arguments, &mut report).await?;
    for name in &arguments.scenarios {
        scenario::run(*name, &mut bench, arguments, &mut report).await?;
    }
    show(&if arguments.json { report.json().to_string() } else { report.table() });
    Ok(())
}

async fn rounds(
    bench: &mut Bench,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let naive = Naive::start(&bench.url(NAIVE)).await?;
    let (postrider, until_healthy) = Postrider::start(&bench.folder.join("rounds")).await?;
    postrider.add_event_type("bench.live").await?;
    postrider.add_endpoint(&bench.url(POSTRIDER), "bench.live").await?;
    let disk_before = process::disk_bytes(&postrider.data)?;
    let (mut a, mut b) = (Samples::default(), Samples::default());
    for round in 0..arguments.rounds {
        progress(&format!("round {} of {}", round + 1, arguments.rounds));
        a.saturated.push(naive_load(bench, &naive, arguments.saturate_naive()).await?);
        b.saturated.push(postrider_load(bench, &postrider, arguments.saturate()).await?);
    }
    report.ratios = a.rates().zip(b.rates()).map(|(naive, ours)| ours / naive).collect();
    let half_a = arguments.at_rate(Spread::of(a.rates()).median / 2.0);
    let half_b = arguments.at_rate(Spread::of(b.rates()).median / 2.0);
    for _ in 0..arguments.rounds {
        progress("half of the saturated rate, then 1,000 per second");
        a.half.push(naive_load(bench, &naive, half_a).await?);
        b.half.push(postrider_load(bench, &postrider, half_b).await?);
        a.calm.push(naive_load(bench, &naive, arguments.at_rate(1_000.0)).await?);
        b.calm.push(postrider_load(bench, &postrider, arguments.at_rate(1_000.0)).await?);
    }
    let stored = b.accepted();
    let disk = (process::disk_bytes(&postrider.data)? - disk_before) as f64;
    report.naive = a.numbers();
    report.naive.push(("peak_rss_mib".to_owned(), naive.part.process.memory_mib()?.0));
    report.naive.push(("start_up_ms".to_owned(), naive.until_ready.as_secs_f64() * 1e3));
    report.postrider = b.numbers();
    report.postrider.push(("peak_rss_mib".to_owned(), postrider.process.memory_mib()?.0));
    report.postrider.push(("start_up_ms".to_owned(), until_healthy.as_secs_f64() * 1e3));
    report.postrider.push(("disk_bytes_per_message".to_owned(), disk / stored.max(1) as f64));
    report.postrider.push(("messages_stored".to_owned(), stored as f64));
    Ok(())
}

async fn naive_load(bench: &mut Bench, naive: &Naive, load: Load) -> anyhow::Result<Sample> {
    let sample = bench.load(&naive.part.process, &naive.order, load, NAIVE..NAIVE + 1).await?;
    progress(&format!("  naive     {}", sample.line()));
    Ok(sample)
}

async fn postrider_load(
    bench: &mut Bench,
    postrider: &Postrider,
    load: Load,
) -> anyhow::Result<Sample> {
    let endpoints = POSTRIDER..POSTRIDER + 1;
    let sample = bench.load(&postrider.process, &postrider.order, load, endpoints).await?;
    progress(&format!("  postrider {}", sample.line()));
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

    fn numbers(&self) -> report::Numbers {
        let rate = Spread::of(self.rates());
        let median =
            |samples: &[Sample], of: fn(&Sample) -> f64| Spread::of(samples.iter().map(of)).median;
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

impl Arguments {
    fn quickened(self) -> Self {
        if !self.quick {
            return self;
        }
        Self { rounds: 1, seconds: 1.5, backlog: 20_000, stored: 50_000, ..self }
    }

    fn saturate(&self) -> Load {
        Load { connections: self.connections, rate: None, seconds: self.seconds }
    }

    fn saturate_naive(&self) -> Load {
        Load { connections: self.naive_connections, ..self.saturate() }
    }

    fn at_rate(&self, rate: f64) -> Load {
        Load { rate: Some(rate), ..self.saturate() }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("payload", format!("{} bytes of JSON", payload::LENGTH)),
            ("rounds", format!("{} of {} s", self.rounds, self.seconds)),
            (
                "connections",
                format!("naive {}, postrider {}", self.naive_connections, self.connections),
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
