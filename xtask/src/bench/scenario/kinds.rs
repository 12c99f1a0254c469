//! Endpoints of every kind: deliveries per second and CPU of each, beside `http`, and beside a
//! plain client that writes the same to the service as fast as it can.

mod kind;
mod plain;
mod service;

use std::time::{Duration, Instant};

use anyhow::Context;

pub(crate) use self::kind::Kind;
use self::{kind::Prepared, plain::Plain};
use crate::bench::{
    arguments::Arguments,
    clock,
    console::progress,
    generator::{Order, Sent},
    load::{Bench, Load},
    place::Setup,
    process::Process,
    report::{Numbers, Row, Spread},
    subject::Postrider,
};

/// The load before the measured part, which opens connections and fills caches.
const WARM_UP: Duration = Duration::from_secs(1);

/// The load goes on a little longer than the measured part.
const MARGIN: Duration = Duration::from_millis(300);

/// How long a generator may wait for its last answers.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long deliveries are waited for after the load. A service that is much slower than
/// Postrider accepts has a backlog then.
const DRAIN: Duration = Duration::from_secs(20);

/// What was measured of Postrider.
struct Sample {
    per_second: f64,
    cpu_us: f64,
    /// Accepted, and not delivered when the measurement ended.
    waiting: f64,
}

/// A row of the table for each kind.
pub(crate) async fn run(
    setup: Setup,
    bench: &mut Bench,
    arguments: &Arguments,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut http = None;
    for kind in &arguments.kinds {
        let row = match measure(*kind, setup, bench, arguments).await {
            Ok(numbers) => {
                let rate = find(&numbers, "deliveries_per_second");
                if *kind == Kind::Http {
                    http = rate;
                }
                let of_http = rate.zip(http).map(|(rate, http)| ("of_http", rate / http));
                let of_http = of_http.map(|(name, value)| (name.to_owned(), value));
                Row { name: kind.name(), numbers: numbers.into_iter().chain(of_http).collect() }
            },
            Err(error) => {
                progress(&format!("  {}: {error:#}", kind.name()));
                Row { name: kind.name(), numbers: Numbers::new() }
            },
        };
        rows.push(row);
    }
    Ok(rows)
}

fn find(numbers: &Numbers, name: &str) -> Option<f64> {
    numbers.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

async fn measure(
    kind: Kind,
    setup: Setup,
    bench: &mut Bench,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    progress(&format!("{}: kind {}", setup.name(), kind.name()));
    let prepared = kind.prepare(bench).await?;
    let (postrider, _) = Postrider::start(bench.place(setup, kind.name()).await?).await?;
    postrider.add_event_type("bench.live").await?;
    postrider.add_endpoint_of_kind(kind.id(), &prepared.config, "bench.live").await?;
    let mut samples = Vec::new();
    let mut plain = Vec::new();
    for _ in 0..arguments.rounds {
        let sample = load(bench, &postrider, arguments.saturate(setup.store)).await?;
        progress(&format!(
            "  {:10} {:>7.0}/s, {:.1} us CPU, {:.0} waiting",
            kind.name(),
            sample.per_second,
            sample.cpu_us,
            sample.waiting
        ));
        // With a backlog, another round would measure the same.
        let has_backlog = sample.waiting > 0.0;
        samples.push(sample);
        if has_backlog {
            break;
        }
    }
    postrider.remove().await?;
    for _ in 0..samples.len() {
        plain.extend(write_plainly(kind, &prepared, arguments).await?);
    }
    Ok(numbers(&samples, &plain))
}

async fn write_plainly(
    kind: Kind,
    prepared: &Prepared,
    arguments: &Arguments,
) -> anyhow::Result<Option<Plain>> {
    let Some(config) = &prepared.plain else { return Ok(None) };
    let plain = Plain::write(kind.id(), config, arguments.seconds).await?;
    progress(&format!("  {:10} {:>7.0}/s, {:.1} us CPU", "plain", plain.per_second, plain.cpu_us));
    Ok(Some(plain))
}

fn numbers(samples: &[Sample], plain: &[Plain]) -> Numbers {
    let of = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value)).median;
    let rate = of(|it| it.per_second);
    let mut numbers = vec![
        ("deliveries_per_second".to_owned(), rate),
        ("cpu_us".to_owned(), of(|it| it.cpu_us)),
        ("waiting".to_owned(), of(|it| it.waiting)),
    ];
    if !plain.is_empty() {
        let of_plain = |value: fn(&Plain) -> f64| Spread::of(plain.iter().map(value)).median;
        let reference = of_plain(|it| it.per_second);
        numbers.extend([
            ("plain_per_second".to_owned(), reference),
            ("plain_cpu_us".to_owned(), of_plain(|it| it.cpu_us)),
            ("of_plain".to_owned(), rate / reference),
        ]);
    }
    numbers
}

/// Puts a load on Postrider, and counts what it delivered by its own metrics.
async fn load(bench: &mut Bench, postrider: &Postrider, load: Load) -> anyhow::Result<Sample> {
    let cpu_before = cpu(postrider)?;
    let before = postrider.delivered().await?;
    let mut generator = bench.generate(Order {
        connections: load.connections,
        rate: load.rate,
        seconds: WARM_UP.as_secs_f64() + load.seconds + MARGIN.as_secs_f64(),
        ..postrider.order.clone()
    })?;
    tokio::time::sleep(WARM_UP).await;
    let (from, started) = (postrider.delivered().await?, clock::now());
    tokio::time::sleep(Duration::from_secs_f64(load.seconds)).await;
    let (until, window) = (postrider.delivered().await?, started.elapsed());
    let sent: Sent = generator.read_line(TIMEOUT).await?;
    let after = drain(postrider, before + sent.accepted as f64).await?;
    for node in &postrider.nodes {
        node.quiet(Duration::from_secs(5)).await?;
    }
    let used = cpu(postrider)?.saturating_sub(cpu_before);
    Ok(Sample {
        per_second: (until - from) / window.as_secs_f64(),
        cpu_us: used.as_secs_f64() * 1e6 / (after - before).max(1.0),
        waiting: (before + sent.accepted as f64 - after).max(0.0),
    })
}

/// Waits until so many deliveries were made.
async fn drain(postrider: &Postrider, wanted: f64) -> anyhow::Result<f64> {
    let deadline: Instant = clock::now() + DRAIN;
    loop {
        let delivered = postrider.delivered().await?;
        if delivered >= wanted || clock::now() >= deadline {
            return Ok(delivered);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn cpu(postrider: &Postrider) -> anyhow::Result<Duration> {
    let all = postrider.nodes.iter().map(Process::cpu);
    all.sum::<anyhow::Result<Duration>>().context("the CPU time of a node")
}
