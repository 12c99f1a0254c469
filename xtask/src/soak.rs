//! The task `soak`: a mixed load for hours against a record of what must arrive.
//!
//! The real binary is stopped, killed and started again while applications publish, providers
//! send webhooks, receivers fail, operators change, resend and recover, and people watch. At the
//! end nothing is lost, order and rates were kept, and memory, file descriptors and disk usage do
//! not grow.

#![expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
#![expect(clippy::cast_possible_truncation, reason = "only small positive numbers are rounded")]
#![expect(clippy::cast_sign_loss, reason = "only small positive numbers are rounded")]

mod api;
mod behavior;
mod bits;
mod ids;
mod model;
mod operators;
mod publish;
mod rate;
mod receiver;
mod record;
mod report;
mod restarts;
mod run;
mod sample;
mod setup;
mod site;
mod trend;
mod viewers;
mod visits;

use std::{
    fs::Permissions,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    net::TcpSocket,
    runtime,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

pub(crate) use self::trend::Trend;
use self::{
    api::Api, receiver::Receivers, record::Record, report::Report, restarts::End, run::Run,
    sample::Sample, site::Site, visits::Visits,
};
use crate::bench::{
    console::{progress, show},
    place::StoreKind,
    postgres::Server,
};

/// How long the last deliveries may take after the load.
const DRAIN: Duration = Duration::from_secs(420);

/// Between two looks at what is still pending.
const DRAIN_INTERVAL: Duration = Duration::from_secs(5);

/// Bounds of the retention: longer than any delivery is pending, and so short that disk usage
/// reaches its plateau before it is measured.
const RETENTION_SECONDS: (f64, f64) = (360.0, 900.0);

/// The share of the run after which retention begins to remove data.
const RETENTION_SHARE: f64 = 0.125;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long the load lasts, for each store
    #[arg(long)]
    hours: f64,
    /// Where the server stores everything; `both` runs one after the other
    #[arg(long, default_value = "embedded")]
    store: Stores,
    /// Messages per second, in all applications together
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Decides which messages are sent and when the server ends
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the report with all samples to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server; a release build of this folder if absent
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stores {
    Embedded,
    Postgres,
    Both,
}

impl Stores {
    const fn kinds(self) -> &'static [StoreKind] {
        match self {
            Self::Embedded => &[StoreKind::Embedded],
            Self::Postgres => &[StoreKind::Postgres],
            Self::Both => &[StoreKind::Embedded, StoreKind::Postgres],
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.hours > 0.0 && arguments.rate > 0.0, "hours and rate are above 0");
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
        None => build()?,
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let reports = runtime.block_on(all_stores(arguments, &binary))?;
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&reports)?)?;
    }
    ensure!(reports.iter().all(Report::has_passed), "the soak failed");
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "postrider-cli", "--features", "full"]);
    ensure!(cargo.status().context("cargo build")?.success(), "the build did not succeed");
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(Path::parent).context("no target folder")?;
    Ok(target.join("release/postrider"))
}

async fn all_stores(arguments: &Arguments, binary: &Path) -> anyhow::Result<Vec<Report>> {
    let mut reports = Vec::new();
    for store in arguments.store.kinds() {
        let report = one_store(arguments, *store, binary).await?;
        show(&report.text());
        let is_over = report.was_interrupted;
        reports.push(report);
        if is_over {
            break;
        }
    }
    Ok(reports)
}

async fn one_store(
    arguments: &Arguments,
    store: StoreKind,
    binary: &Path,
) -> anyhow::Result<Report> {
    // Not in /tmp, which may be in memory.
    let beside = std::env::current_exe()?;
    let beside = beside.parent().context("no folder")?;
    let folder = tempfile::Builder::new().prefix("soak-").tempdir_in(beside)?;
    // PostgreSQL may run as another user, which needs access to the folder.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    let result = with_folder(arguments, store, binary, folder.path()).await;
    if !result.as_ref().is_ok_and(Report::has_passed) {
        progress(&format!("data and logs are kept in {}", folder.keep().display()));
    }
    result
}

async fn with_folder(
    arguments: &Arguments,
    store: StoreKind,
    binary: &Path,
    folder: &Path,
) -> anyhow::Result<Report> {
    let database = match store {
        StoreKind::Embedded => None,
        StoreKind::Postgres => {
            Some(Server::start(folder.join("postgres")).await?.database("soak").await?)
        },
    };
    let retention = Duration::from_secs(retention(arguments) as u64);
    let site = Site::new(binary.to_owned(), folder.to_owned(), database, retention)?;
    let site = Arc::new(site);
    site.start().await?;
    let nameless = Api::new(site.address, String::new());
    nameless.wait_until_healthy(|| site.pid().is_ok()).await?;
    let api = Api::new(site.address, site.create_token().await?);
    let receivers = Receivers::bind().await?;
    let record = Record::new(setup::strict_rate(arguments.rate));
    let run = Run::new(api, receivers.address, (arguments.rate, arguments.seed), record);
    let (run, visits) = (Arc::new(run), Arc::new(Visits::default()));
    let report = tokio::select! {
        report = soak(arguments, &run, &site, &visits) => report,
        ended = receivers.serve(Arc::clone(&run), Arc::clone(&visits)) => {
            ended.and_then(|()| bail!("the receivers ended"))
        },
    };
    site.end(End::Stop).await?;
    let mut report = report?;
    for panic in site.panics() {
        report.violate(format!("the server panicked: {panic}"));
    }
    Ok(Report {
        store: match store {
            StoreKind::Embedded => "embedded",
            StoreKind::Postgres => "postgres",
        },
        ..report
    })
}

/// How many seconds the server keeps messages and their payloads.
fn retention(arguments: &Arguments) -> f64 {
    let (shortest, longest) = RETENTION_SECONDS;
    (arguments.hours * 3_600.0 * RETENTION_SHARE).clamp(shortest, longest)
}

async fn soak(
    arguments: &Arguments,
    run: &Arc<Run>,
    site: &Arc<Site>,
    visits: &Arc<Visits>,
) -> anyhow::Result<Report> {
    // Bound and not listening: the port stays ours, and refuses.
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let dead = format!("http://{}/", socket.local_addr()?);
    let sources = setup::create(run, &dead).await?;
    progress(&format!("soak in {}", site.folder.display()));
    let seconds = arguments.hours * 3_600.0;
    let mut tasks = start_load(run, site, visits, sources);
    tasks.spawn(operators::replace_dead(Arc::clone(run), dead));
    let (samples, was_interrupted, ()) = tokio::join!(
        sample::watch(Arc::clone(run), Arc::clone(site)),
        end_load(run, seconds),
        restart(run, site, seconds),
    );
    // Each ends with the load, after what it has begun.
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the load")?;
    }
    let drained_in_seconds = drain(run).await;
    report(arguments, run, samples, (was_interrupted?, drained_in_seconds))
}

fn start_load(
    run: &Arc<Run>,
    site: &Arc<Site>,
    visits: &Arc<Visits>,
    sources: Vec<String>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let again = || Arc::clone(run);
    for owner in 0..model::APPLICATIONS {
        tasks.spawn(publish::publish(again(), owner));
    }
    for (owner, path) in sources.into_iter().enumerate() {
        tasks.spawn(publish::send_webhooks(again(), owner, path));
    }
    tasks.spawn(visits::come_and_go(again(), Arc::clone(visits)));
    tasks.spawn(operators::pause_and_resume(again()));
    tasks.spawn(operators::change(again()));
    tasks.spawn(operators::resend(again()));
    tasks.spawn(operators::recover(again()));
    tasks.spawn(viewers::read_lists(again()));
    tasks.spawn(viewers::read_pages(again()));
    tasks.spawn(viewers::watch_pages(again()));
    tasks.spawn(viewers::watch_pages(again()));
    tasks.spawn(viewers::listen(again(), Arc::clone(site)));
    tasks
}

/// Ends the load after its time, or when the user interrupts it; whether that was the reason.
async fn end_load(run: &Run, seconds: f64) -> anyhow::Result<bool> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let was_interrupted = tokio::select! {
        _ = run.pause(Duration::from_secs_f64(seconds)) => false,
        _ = interrupted.recv() => true,
        _ = terminated.recv() => true,
    };
    run.end_load();
    Ok(was_interrupted)
}

/// Ends the server and starts it again, at the planned times.
async fn restart(run: &Run, site: &Site, seconds: f64) {
    for (at, end) in restarts::plan(seconds, run.seed) {
        let wait = Duration::from_secs_f64((at - run.now()).max(0.0));
        if !run.pause(wait).await {
            return;
        }
        if run.check("restart", restart_once(run, site, end)).await.is_none() {
            run.end_load();
        }
    }
}

async fn restart_once(run: &Run, site: &Site, end: End) -> anyhow::Result<()> {
    site.end(end).await?;
    run.record().restarted();
    site.start().await?;
    run.api.wait_until_healthy(|| site.pid().is_ok()).await?;
    // Calls before and after are counted separately.
    run.record().restarted();
    let mut activity = run.activity();
    match end {
        End::Stop => activity.stops += 1,
        End::Kill => activity.kills += 1,
    }
    Ok(())
}

/// Waits until all that must arrive has arrived, or for too long; returns how long.
async fn drain(run: &Run) -> f64 {
    let started = run.now();
    while run.record().pending() > 0 && run.now() - started < DRAIN.as_secs_f64() {
        operators::recover_all(run).await;
        tokio::time::sleep(DRAIN_INTERVAL).await;
    }
    run.now() - started
}

fn report(
    arguments: &Arguments,
    run: &Run,
    samples: Vec<Sample>,
    (was_interrupted, drained_in_seconds): (bool, f64),
) -> anyhow::Result<Report> {
    let now = run.now();
    let mut record = run.record();
    record.close(now, retention(arguments));
    ensure!(record.accepted > 0, "no message was accepted");
    let seconds = samples.last().map_or(0.0, |it| it.second);
    let quiet = sample::quiet(&samples, arguments.hours * 3_600.0);
    let history = samples.last().map_or(0.0, |it| it.history_mib) * 1_048_576.0;
    Ok(Report {
        store: "",
        seconds,
        rate: arguments.rate,
        seed: arguments.seed,
        was_interrupted,
        accepted: record.accepted,
        resent: record.resent,
        resends_arrived: record.resends_arrived,
        endpoints: record.counts(),
        activity: *run.activity(),
        drained_in_seconds,
        trends: report::growth(&quiet),
        history_bytes_per_message: history / record.accepted as f64,
        violation_count: record.violation_count,
        violations: record.violations().to_vec(),
        samples,
    })
}
