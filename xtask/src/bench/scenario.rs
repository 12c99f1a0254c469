//! Scenarios that go beyond the plain case: fan-out, dead endpoints, a full store, many tenants.

mod cancel;
mod kinds;
mod shape;
mod shards;
mod soak;
mod tenants;

pub(crate) use self::kinds::Kind;

use std::time::Duration;

use super::{
    arguments::{Arguments, Scenario},
    clock,
    console::progress,
    load::{Bench, Sample, Target},
    measure::{BATCH, POSTRIDER, live, median, named, one, refusing, several, with_endpoint},
    place::{Place, Setup, StoreKind},
    process::Part,
    report::{Numbers, Row, Spread},
    subject::Postrider,
};

const FAN_OUT: usize = 5;

/// How long it may take to fill a store, and to put it in order afterwards.
const LONG: Duration = Duration::from_secs(1_800);

pub(crate) async fn run(
    scenario: Scenario,
    setup: Setup,
    bench: &mut Bench,
    arguments: &Arguments,
) -> anyhow::Result<(String, Numbers)> {
    let title = scenario.title(arguments);
    progress(&format!("{}: {title}", setup.name()));
    let numbers = match scenario {
        Scenario::FanOut => fan_out(bench, setup, arguments).await?,
        Scenario::Dead => {
            let (_socket, url) = refusing()?;
            backlog(bench, setup, arguments, &url).await?
        },
        Scenario::Cancel => cancel::run(bench, setup, arguments).await?,
        Scenario::Silent => {
            let url = bench.url("silent");
            backlog(bench, setup, arguments, &url).await?
        },
        Scenario::Stored => stored(bench, setup, arguments).await?,
        Scenario::Receive => receive(bench, setup, arguments).await?,
        Scenario::Tenants => tenants::run(bench, setup, arguments).await?,
        Scenario::Shape => shape::run(bench, setup, arguments).await?,
        Scenario::Shards => shards::run(bench, setup, arguments).await?,
        Scenario::Soak => soak::run(bench, setup, arguments).await?,
        Scenario::Kinds | Scenario::None => Numbers::new(),
    };
    Ok((format!("{}, {title}", setup.name()), numbers))
}

/// A row for each kind of endpoint.
pub(crate) async fn kinds(
    setup: Setup,
    bench: &mut Bench,
    arguments: &Arguments,
) -> anyhow::Result<Vec<Row>> {
    kinds::run(setup, bench, arguments).await
}

impl Scenario {
    fn title(self, arguments: &Arguments) -> String {
        match self {
            Self::FanOut => format!("fan-out to {FAN_OUT} endpoints"),
            Self::Dead => {
                format!("{} messages wait for a refusing endpoint", arguments.backlog)
            },
            Self::Cancel => format!("an endpoint with {} messages is deleted", arguments.backlog),
            Self::Silent => format!("{} messages wait for a silent endpoint", arguments.backlog),
            Self::Stored => format!("{} messages stored", arguments.stored),
            Self::Receive => "signed webhooks to a source".to_owned(),
            Self::Tenants => format!("{} applications in turn", arguments.tenants),
            Self::Shape => "filters, schemas and transformations".to_owned(),
            Self::Shards => "one and two shards".to_owned(),
            Self::Soak => format!("a mixed load for {} minutes", arguments.minutes),
            Self::Kinds => "kinds of endpoints".to_owned(),
            Self::None => "nothing".to_owned(),
        }
    }
}

async fn fan_out(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let (postrider, _) = Postrider::start(bench.place(setup, "fan-out").await?).await?;
    postrider.add_event_type("bench.live").await?;
    for endpoint in (POSTRIDER..).take(FAN_OUT) {
        postrider.add_endpoint(&bench.url(endpoint), "bench.live").await?;
    }
    let mut samples = Vec::new();
    for _ in 0..arguments.rounds {
        let endpoints = POSTRIDER..POSTRIDER + FAN_OUT;
        samples.push(
            bench.load(postrider.target(), arguments.saturate(setup.store), endpoints).await?,
        );
    }
    let rate = Spread::of(samples.iter().map(|sample| sample.deliveries_per_second));
    let mut numbers = named([
        ("deliveries_per_second", rate.median),
        ("deliveries_per_second_least", rate.least),
        ("deliveries_per_second_most", rate.most),
        ("messages_per_second", rate.median / FAN_OUT as f64),
        ("cpu_us_per_delivery", median(&samples, |it| it.cpu_us_per_delivery)),
        ("peak_rss_mib", postrider.memory_mib()?.0),
        ("lost_deliveries", samples.iter().map(|sample| sample.lost).sum::<u64>() as f64),
    ]);
    if setup.store == StoreKind::Postgres {
        let each = FAN_OUT as f64;
        numbers.extend(named([
            ("database_cpu_us_per_delivery", median(&samples, |it| it.database_us_per_delivery)),
            ("statements_per_message", median(&samples, |it| it.statements_per_delivery) * each),
            ("commits_per_message", median(&samples, |it| it.commits_per_delivery) * each),
            ("wal_bytes_per_message", median(&samples, |it| it.wal_bytes_per_delivery) * each),
        ]));
    }
    postrider.remove().await?;
    Ok(numbers)
}

async fn backlog(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
    url: &str,
) -> anyhow::Result<Numbers> {
    let (mut postrider, _) = live(bench, setup, "backlog").await?;
    postrider.add_event_type("bench.dead").await?;
    postrider.add_endpoint(url, "bench.dead").await?;
    let saturated = one(bench, &postrider, arguments.saturate(setup.store)).await?;
    let half = arguments.at_rate(saturated.deliveries_per_second / 2.0);
    let before = several(bench, &postrider, half, arguments.rounds).await?;
    let rss_before = postrider.memory_mib()?;
    let started = clock::now();
    postrider.post_batches("bench.dead", arguments.backlog, BATCH).await?;
    let filled = started.elapsed().as_secs_f64();
    progress(&format!("  {} messages wait after {filled:.0} s", arguments.backlog));
    let during = several(bench, &postrider, half, arguments.rounds).await?;
    let rss_during = postrider.memory_mib()?;
    let (stopped, started) = postrider.restart().await?;
    let after = several(bench, &postrider, half, arguments.rounds).await?;
    let p99 = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.latency.p99_ms));
    let p50 = |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.latency.p50_ms));
    let lost = [&before, &during, &after].into_iter().flatten().map(|sample| sample.lost);
    let numbers = named([
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
        ("rss_mib_after_restart", postrider.memory_mib()?.1),
        ("stop_s", stopped.as_secs_f64()),
        ("restart_s", started.as_secs_f64()),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]);
    postrider.remove().await?;
    Ok(numbers)
}

/// Fills a new place; how long that took.
async fn filled(place: &Place, messages: u64) -> anyhow::Result<Duration> {
    let started = clock::now();
    let mut fill = Part::start(&["fill", &place.target()?, &messages.to_string()])?;
    let _stored: u64 = fill.read_line(LONG).await?;
    let filled = started.elapsed();
    progress(&format!("  filled in {:.0} s", filled.as_secs_f64()));
    if let Some(database) = &place.database {
        database.put_in_order().await?;
    }
    Ok(filled)
}

async fn stored(bench: &mut Bench, setup: Setup, arguments: &Arguments) -> anyhow::Result<Numbers> {
    let place = bench.place(setup, "full").await?;
    let filled = filled(&place, arguments.stored).await?.as_secs_f64();
    let (mut full, _) = with_endpoint(bench, place).await?;
    for node in &full.nodes {
        node.quiet(LONG).await?;
    }
    let (empty, _) = live(bench, setup, "empty").await?;
    let disk = full.disk_bytes().await? as f64;
    let (mut of_empty, mut of_full) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        of_empty.push(one(bench, &empty, arguments.saturate(setup.store)).await?);
        of_full.push(one(bench, &full, arguments.saturate(setup.store)).await?);
    }
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| sample.deliveries_per_second).collect()
    };
    let pairs = rates(&of_full).into_iter().zip(rates(&of_empty));
    let ratio = Spread::of(pairs.map(|(full, empty)| full / empty));
    let half = arguments.at_rate(Spread::of(rates(&of_full)).median / 2.0);
    let latency = one(bench, &full, half).await?.latency;
    let lost = of_empty.iter().chain(&of_full).map(|sample| sample.lost);
    let memory = full.memory_mib()?;
    let (stopped, started) = full.restart().await?;
    let numbers = named([
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
        ("rss_mib_after_restart", full.memory_mib()?.1),
        ("stop_s", stopped.as_secs_f64()),
        ("restart_s", started.as_secs_f64()),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]);
    empty.remove().await?;
    full.remove().await?;
    Ok(numbers)
}

/// The answer to the provider counts, in an open loop of 1,000 per second; then all that it
/// takes in a closed one.
async fn receive(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let (postrider, _) = Postrider::start(bench.place(setup, "receive").await?).await?;
    let order = postrider.add_source(&bench.url(POSTRIDER)).await?;
    let (mut calm, mut saturated) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        for (samples, load) in [
            (&mut calm, arguments.at_rate(1_000.0)),
            (&mut saturated, arguments.saturate(setup.store)),
        ] {
            let target = Target { order: &order, ..postrider.target() };
            let sample = bench.load(target, load, POSTRIDER..POSTRIDER + 1).await?;
            progress(&format!("  {:18} {}", setup.name(), sample.line()));
            samples.push(sample);
        }
    }
    let all = || calm.iter().chain(&saturated);
    let answers = Spread::of(calm.iter().map(|it| it.answers.p99_ms));
    let numbers = named([
        ("1000_per_second_answer_p50_ms", median(&calm, |it| it.answers.p50_ms)),
        ("1000_per_second_answer_p99_ms", answers.median),
        ("1000_per_second_answer_p99_ms_most", answers.most),
        ("1000_per_second_arrival_p50_ms", median(&calm, |it| it.latency.p50_ms)),
        ("1000_per_second_arrival_p99_ms", median(&calm, |it| it.latency.p99_ms)),
        ("1000_per_second_cpu_us", median(&calm, |it| it.cpu_us_per_delivery)),
        ("1000_per_second_database_cpu_us", median(&calm, |it| it.database_us_per_delivery)),
        ("webhooks_per_second", median(&saturated, |it| it.deliveries_per_second)),
        ("saturated_answer_p50_ms", median(&saturated, |it| it.answers.p50_ms)),
        ("saturated_answer_p99_ms", median(&saturated, |it| it.answers.p99_ms)),
        ("saturated_cpu_us", median(&saturated, |it| it.cpu_us_per_delivery)),
        ("saturated_database_cpu_us", median(&saturated, |it| it.database_us_per_delivery)),
        ("peak_rss_mib", postrider.memory_mib()?.0),
        ("other_processes_cores", median(&calm, |it| it.other_cores)),
        ("refused_requests", all().map(Sample::refusals).sum::<u64>() as f64),
        ("lost_deliveries", all().map(|it| it.lost).sum::<u64>() as f64),
    ]);
    postrider.remove().await?;
    Ok(numbers)
}
