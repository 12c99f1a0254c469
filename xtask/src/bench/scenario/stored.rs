//! A store that is full of messages, compared with an empty one: rates, pages of lists, and starts.

use std::time::Duration;

use crate::bench::{
    arguments::Arguments,
    clock,
    console::progress,
    fill,
    latency::Latencies,
    load::{Bench, Sample},
    measure::{live, named, one, with_endpoint},
    place::{Place, Setup},
    process::Part,
    report::{Numbers, Spread},
    subject::Postrider,
};

/// How long it may take to fill a store, and to put it in order afterwards.
const LONG: Duration = Duration::from_secs(7_200);

/// How often each page is requested.
const REQUESTS: usize = 50;

pub(super) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let place = bench.place(setup, "full").await?;
    let filled = filled(&place, arguments).await?.as_secs_f64();
    let (mut full, _) = with_endpoint(bench, place).await?;
    for node in &full.nodes {
        node.quiet(LONG).await?;
    }
    let disk = full.disk_bytes().await? as f64;
    let mut numbers = named([
        ("filled_in_process_per_second", arguments.stored as f64 / filled),
        ("disk_bytes_per_message", disk / arguments.stored.max(1) as f64),
    ]);
    numbers.extend(pages(&full, arguments.fill_days).await?);
    numbers.extend(rates(bench, setup, arguments, &full).await?);
    numbers.extend(starts(&mut full).await?);
    full.remove().await?;
    Ok(numbers)
}

/// Fills a new place; how long that took.
async fn filled(place: &Place, arguments: &Arguments) -> anyhow::Result<Duration> {
    let started = clock::now();
    let order = [
        "fill".to_owned(),
        place.target()?,
        arguments.stored.to_string(),
        format!("--payload={}", arguments.fill_payload),
        format!("--days={}", arguments.fill_days),
    ];
    let mut fill = Part::start(&order.each_ref().map(String::as_str))?;
    let _stored: u64 = fill.read_line(LONG).await?;
    let filled = started.elapsed();
    progress(&format!("  filled in {:.0} s", filled.as_secs_f64()));
    if let Some(database) = &place.database {
        database.put_in_order().await?;
    }
    Ok(filled)
}

/// The store that is full takes turns with an empty one.
async fn rates(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
    full: &Postrider,
) -> anyhow::Result<Numbers> {
    let (empty, _) = live(bench, setup, "empty").await?;
    let (mut of_empty, mut of_full) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        of_empty.push(one(bench, &empty, arguments.saturate(setup.store)).await?);
        of_full.push(one(bench, full, arguments.saturate(setup.store)).await?);
    }
    empty.remove().await?;
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| sample.deliveries_per_second).collect()
    };
    let pairs = rates(&of_full).into_iter().zip(rates(&of_empty));
    let ratio = Spread::of(pairs.map(|(full, empty)| full / empty));
    let half = arguments.at_rate(Spread::of(rates(&of_full)).median / 2.0);
    let latency = one(bench, full, half).await?.latency;
    let lost = of_empty.iter().chain(&of_full).map(|sample| sample.lost);
    Ok(named([
        ("deliveries_per_second_empty", Spread::of(rates(&of_empty)).median),
        ("deliveries_per_second_full", Spread::of(rates(&of_full)).median),
        ("full_over_empty", ratio.median),
        ("full_over_empty_least", ratio.least),
        ("full_over_empty_most", ratio.most),
        ("half_load_p50_ms", latency.p50_ms),
        ("half_load_p99_ms", latency.p99_ms),
        ("peak_rss_mib", full.memory_mib()?.0),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]))
}

/// Pages of 50 messages or attempts: the time until the whole response has arrived.
async fn pages(full: &Postrider, days: u64) -> anyhow::Result<Numbers> {
    let token = full.create_token(fill::ORGANIZATION).await?;
    let mut numbers = Numbers::new();
    for (name, path) in fill::pages(days) {
        let mut latencies = Latencies::default();
        for _ in 0..REQUESTS {
            let started = clock::unix_nanos();
            full.get_as(&token, &path).await?;
            latencies.note(started, clock::unix_nanos());
        }
        let summary = latencies.summarize();
        progress(&format!("  {name}: p50 {:.1} ms, p99 {:.1} ms", summary.p50_ms, summary.p99_ms));
        numbers.push((format!("{name}_p50_ms"), summary.p50_ms));
        numbers.push((format!("{name}_p99_ms"), summary.p99_ms));
    }
    Ok(numbers)
}

/// Starts after a stop and after a kill.
async fn starts(full: &mut Postrider) -> anyhow::Result<Numbers> {
    let (stopped, started) = full.restart().await?;
    let memory = full.memory_mib()?.1;
    let restarted = full.kill_and_start().await?;
    Ok(named([
        ("stop_s", stopped.as_secs_f64()),
        ("restart_s", started.as_secs_f64()),
        ("restart_after_kill_s", restarted.as_secs_f64()),
        ("rss_mib_after_restart", memory),
    ]))
}
