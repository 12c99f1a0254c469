//! Scenarios that go beyond the plain case: fan-out, dead endpoints, a full store, many tenants.

mod cancel;
mod kinds;
mod shape;
mod shards;
mod soak;
mod stored;
mod tenants;

pub(crate) use self::kinds::Kind;

use super::{
    arguments::{Arguments, Scenario},
    clock,
    console::progress,
    load::{Bench, Sample, Target},
    measure::{BATCH, POSTRIDER, live, median, named, one, refusing, several},
    place::{Setup, StoreKind},
    report::{Numbers, Row, Spread},
    subject::Postrider,
};

const FAN_OUT: usize = 5;

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
        Scenario::Stored => stored::run(bench, setup, arguments).await?,
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
