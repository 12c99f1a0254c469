//! What happens beside the plain case: fan-out, dead endpoints, a full store, a restart.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use tokio::net::TcpSocket;

use super::{
    Arguments, POSTRIDER,
    load::{Bench, Load, Sample},
    process::{self, Part},
    progress,
    report::{Numbers, Report, Spread},
    subject::Postrider,
};

const FAN_OUT: usize = 5;

/// How long it may take to fill a store, and to put it in order afterwards.
const LONG: Duration = Duration::from_secs(1_800);

/// Messages in one call when a backlog is made.
const BATCH: u64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// Five endpoints want every message
    FanOut,
    /// A backlog for an endpoint that refuses connections, while another one is served
    Dead,
    /// The same for an endpoint that takes requests and never answers
    Silent,
    /// A store that is full of messages, beside an empty one
    Stored,
    /// No scenario at all
    None,
}

pub(crate) async fn run(
    name: Name,
    bench: &mut Bench,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    match name {
        Name::FanOut => {
            let numbers = fan_out(bench, arguments).await?;
            report.scenarios.push(("fan-out to 5 endpoints".to_owned(), numbers));
        },
        Name::Dead => {
            // Bound and not listening: the port stays ours, and refuses.
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let url = format!("http://{}/", socket.local_addr()?);
            let numbers = backlog(bench, arguments, &url).await?;
            let name = format!("{} messages wait for a refusing endpoint", arguments.backlog);
            report.scenarios.push((name, numbers));
        },
        Name::Silent => {
            let url = bench.url("silent");
            let numbers = backlog(bench, arguments, &url).await?;
            let name = format!("{} messages wait for a silent endpoint", arguments.backlog);
            report.scenarios.push((name, numbers));
        },
        Name::Stored => {
            let numbers = stored(bench, arguments).await?;
            report.scenarios.push((format!("{} messages stored", arguments.stored), numbers));
        },
        Name::None => {},
    }
    Ok(())
}

async fn fan_out(bench: &mut Bench, arguments: &Arguments) -> anyhow::Result<Numbers> {
    progress("fan-out");
    let (postrider, _) = Postrider::start(&bench.folder.join("fan-out")).await?;
    postrider.add_event_type("bench.live").await?;
    for endpoint in (POSTRIDER..).take(FAN_OUT) {
        postrider.add_endpoint(&bench.url(endpoint), "bench.live").await?;
    }
    let mut samples = Vec::new();
    for _ in 0..arguments.rounds {
        let endpoints = POSTRIDER..POSTRIDER + FAN_OUT;
        let load = arguments.saturate();
        samples.push(bench.load(&postrider.process, &postrider.order, load, endpoints).await?);
    }
    let rate = Spread::of(samples.iter().map(|sample| sample.deliveries_per_second));
    let cpu = Spread::of(samples.iter().map(|sample| sample.cpu_us_per_delivery));
    Ok(named([
        ("deliveries_per_second", rate.median),
        ("deliveries_per_second_least", rate.least),
        ("deliveries_per_second_most", rate.most),
        ("messages_per_second", rate.median / FAN_OUT as f64),
        ("cpu_us_per_delivery", cpu.median),
        ("peak_rss_mib", postrider.process.memory_mib()?.0),
        ("lost_deliveries", samples.iter().map(|sample| sample.lost).sum::<u64>() as f64),
    ]))
}

async fn backlog(bench: &mut Bench, arguments: &Arguments, url: &str) -> anyhow::Result<Numbers> {
    progress(&format!("{} messages wait for a dead endpoint", arguments.backlog));
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let (mut postrider, _) = Postrider::start(&folder.path().join("data")).await?;
    postrider.add_event_type("bench.live").await?;
    postrider.add_event_type("bench.dead").await?;
    postrider.add_endpoint(&bench.url(POSTRIDER), "bench.live").await?;
    postrider.add_endpoint(url, "bench.dead").await?;
    let saturated = one(bench, &postrider, arguments.saturate()).await?;
    let half = arguments.at_rate(saturated.deliveries_per_second / 2.0);
    let before = several(bench, &postrider, half, arguments.rounds).await?;
    let rss_before = postrider.process.memory_mib()?;
    let started = super::clock::now();
    postrider.post_batches("bench.dead", arguments.backlog, BATCH).await?;
    let filled = started.elapsed().as_secs_f64();
    let during = several(bench, &postrider, half, arguments.rounds).await?;
    let rss_during = postrider.process.memory_mib()?;
    let (stopped, started) = postrider.restart().await?;
    let after = several(bench, &postrider, half, arguments.rounds).await?;
    let p99 = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.latency.p99_ms));
    let p50 = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.latency.p50_ms));
    let lost = [&before, &during, &after].into_iter().flatten().map(|sample| sample.lost);
    Ok(named([
        ("load_per_second", half.rate.unwrap_or_default()),
        ("p50_ms_without_backlog", p50(&before).median),
        ("p50_ms_with_backlog", p50(&during).median),
        ("p99_ms_without_backlog", p99(&before).median),
        ("p99_ms_with_backlog", p99(&during).median),
        ("p99_with_over_without", p99(&during).median / p99(&before).median),
        ("p99_ms_after_restart", p99(&after).median),
        ("backlog_accepted_per_second", arguments.backlog as f64 / filled),
        ("peak_rss_mib_without_backlog", rss_before.0),
        ("peak_rss_mib_with_backlog", rss_during.0),
        ("rss_mib_with_backlog", rss_during.1),
        ("rss_mib_after_restart", postrider.process.memory_mib()?.1),
        ("stop_s", stopped.as_secs_f64()),
        ("restart_s", started.as_secs_f64()),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]))
}

async fn stored(bench: &mut Bench, arguments: &Arguments) -> anyhow::Result<Numbers> {
    progress(&format!("{} messages are stored", arguments.stored));
    let folder = bench.folder.join("full");
    std::fs::create_dir_all(&folder)?;
    let started = super::clock::now();
    let path = folder.to_str().context("the path is not text")?;
    let mut fill = Part::start(&["fill", path, &arguments.stored.to_string()])?;
    let _stored: u64 = fill.hear(LONG).await?;
    let filled = started.elapsed().as_secs_f64();
    let (mut full, _) = live(bench, "full").await?;
    full.process.quiet(LONG).await?;
    let (empty, _) = live(bench, "empty").await?;
    let disk = process::disk_bytes(&full.data)? as f64;
    let (mut of_empty, mut of_full) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        of_empty.push(one(bench, &empty, arguments.saturate()).await?);
        of_full.push(one(bench, &full, arguments.saturate()).await?);
    }
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| sample.deliveries_per_second).collect()
    };
    let pairs = rates(&of_full).into_iter().zip(rates(&of_empty));
    let ratio = Spread::of(pairs.map(|(full, empty)| full / empty));
    let half = arguments.at_rate(Spread::of(rates(&of_full)).median / 2.0);
    let latency = one(bench, &full, half).await?.latency;
    let lost = of_empty.iter().chain(&of_full).map(|sample| sample.lost);
    let memory = full.process.memory_mib()?;
    let (stopped, started) = full.restart().await?;
    Ok(named([
        ("filled_in_process_per_second", arguments.stored as f64 / filled),
        ("disk_bytes_per_message", disk / arguments.stored.max(1) as f64),
        ("deliveries_per_second_empty", Spread::of(rates(&of_empty)).median),
        ("deliveries_per_second_full", Spread::of(rates(&of_full)).median),
        ("full_over_empty", ratio.median),
        ("full_over_empty_least", ratio.least),
        ("full_over_empty_most", ratio.most),
        ("half_load_p50_ms", latency.p50_ms),
        ("half_load_p99_ms", latency.p99_ms),
        ("peak_rss_mib", memory.0),
        ("rss_mib_after_restart", full.process.memory_mib()?.1),
        ("stop_s", stopped.as_secs_f64()),
        ("restart_s", started.as_secs_f64()),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]))
}

async fn live(bench: &Bench, folder: &str) -> anyhow::Result<(Postrider, Duration)> {
    let (postrider, started) = Postrider::start(&bench.folder.join(folder)).await?;
    postrider.add_event_type("bench.live").await?;
    postrider.add_endpoint(&bench.url(POSTRIDER), "bench.live").await?;
    Ok((postrider, started))
}

async fn one(bench: &mut Bench, postrider: &Postrider, load: Load) -> anyhow::Result<Sample> {
    super::postrider_load(bench, postrider, load).await.context("load")
}

async fn several(
    bench: &mut Bench,
    postrider: &Postrider,
    load: Load,
    times: usize,
) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for _ in 0..times {
        samples.push(one(bench, postrider, load).await?);
    }
    Ok(samples)
}

fn named<const N: usize>(numbers: [(&str, f64); N]) -> Numbers {
    numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
