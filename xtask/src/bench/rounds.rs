//! The rounds, in each of which the reference and Postrider run one after the other.

use std::{collections::BTreeSet, time::Duration};

use super::{
    arguments::Arguments,
    console::progress,
    load::{Bench, Sample},
    measure::{NAIVE, live, median, naive_load, named, postrider_load},
    place::Setup,
    report::{COMMITS, Column, Numbers, Report, STATEMENTS, Spread},
    subject::{Naive, Postrider},
};

/// Threads that use less CPU time for a delivery are left out.
const LEAST_US: f64 = 0.1;

/// What is compared in the rounds, and what was measured of it.
#[derive(Debug)]
struct Contender {
    setup: Setup,
    postrider: Postrider,
    until_healthy: Duration,
    disk_before: u64,
    samples: Samples,
}

pub(crate) async fn run(
    bench: &mut Bench,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let naive = Naive::start(&bench.url(NAIVE)).await?;
    let mut reference = Samples::default();
    let mut contenders = Vec::new();
    for setup in arguments.setups() {
        contenders.push(Contender::start(bench, setup).await?);
    }
    for round in 0..arguments.rounds {
        progress(&format!("round {} of {}", round + 1, arguments.rounds));
        let load = arguments.saturate_naive();
        reference.saturated.push(naive_load(bench, &naive, load).await?);
        for contender in &mut contenders {
            let sample = postrider_load(
                bench,
                &contender.postrider,
                arguments.saturate(contender.setup.store),
            )
            .await?;
            contender.samples.saturated.push(sample);
        }
    }
    for _ in 0..arguments.rounds {
        progress("half of the saturated rate, then 1,000 per second");
        let calm = arguments.at_rate(1_000.0);
        let half = arguments.at_rate(reference.half_rate());
        reference.half.push(naive_load(bench, &naive, half).await?);
        reference.calm.push(naive_load(bench, &naive, calm).await?);
        for Contender { postrider, samples, .. } in &mut contenders {
            let half = arguments.at_rate(samples.half_rate());
            samples.half.push(postrider_load(bench, postrider, half).await?);
            samples.calm.push(postrider_load(bench, postrider, calm).await?);
        }
    }
    report.naive = reference.numbers();
    report.naive.extend(named([
        ("peak_rss_mib", naive.part.process.memory_mib()?.0),
        ("start_up_ms", naive.until_ready.as_secs_f64() * 1e3),
    ]));
    for contender in contenders {
        report.columns.push(contender.end(&reference).await?);
    }
    Ok(())
}

impl Contender {
    async fn start(bench: &mut Bench, setup: Setup) -> anyhow::Result<Self> {
        let (postrider, until_healthy) = live(bench, setup, "rounds").await?;
        let disk_before = postrider.disk_bytes().await?;
        Ok(Self { setup, postrider, until_healthy, disk_before, samples: Samples::default() })
    }

    async fn end(self, reference: &Samples) -> anyhow::Result<Column> {
        let Self { setup, postrider, samples, .. } = self;
        let stored = samples.accepted();
        let disk = postrider.disk_bytes().await?.saturating_sub(self.disk_before) as f64;
        let mut numbers = samples.numbers();
        numbers.extend(samples.thread_numbers());
        numbers.extend(named([
            ("peak_rss_mib", postrider.memory_mib()?.0),
            ("start_up_ms", self.until_healthy.as_secs_f64() * 1e3),
            ("disk_bytes_per_message", disk / stored.max(1) as f64),
            ("messages_stored", stored as f64),
        ]));
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

    fn numbers(&self) -> Numbers {
        let rate = Spread::of(self.rates());
        named([
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
        ])
    }

    /// CPU time per delivery of the threads that use more than a little, at saturation and at 1,000
    /// per second.
    fn thread_numbers(&self) -> Numbers {
        let of = |samples: &[Sample], load: &str| {
            let names: BTreeSet<_> =
                samples.iter().flat_map(|it| it.threads_us_per_delivery.keys()).collect();
            let median = |name: &String| {
                let each = samples.iter().filter_map(|it| it.threads_us_per_delivery.get(name));
                Spread::of(each.copied()).median
            };
            let numbers = names.into_iter().map(|it| (format!("{load}_us_of_{it}"), median(it)));
            numbers.filter(|(_, us)| *us >= LEAST_US).collect::<Numbers>()
        };
        let mut numbers = of(&self.saturated, "saturated");
        numbers.extend(of(&self.calm, "1000_per_second"));
        numbers
    }

    /// What only a database has.
    fn database_numbers(&self) -> Numbers {
        let cpu = |samples: &[Sample]| median(samples, |sample| sample.database_us_per_delivery);
        let statements = |samples: &[Sample]| median(samples, |it| it.statements_per_delivery);
        let commits = |samples: &[Sample]| median(samples, |it| it.commits_per_delivery);
        named([
            ("database_cpu_us_per_delivery", cpu(&self.saturated)),
            (STATEMENTS, statements(&self.saturated)),
            (COMMITS, commits(&self.saturated)),
            ("wal_bytes_per_message", median(&self.saturated, |it| it.wal_bytes_per_delivery)),
            ("half_load_database_cpu_us", cpu(&self.half)),
            ("half_load_statements_per_message", statements(&self.half)),
            ("half_load_commits_per_message", commits(&self.half)),
            ("1000_per_second_database_cpu_us", cpu(&self.calm)),
            ("1000_per_second_statements_per_message", statements(&self.calm)),
            ("1000_per_second_commits_per_message", commits(&self.calm)),
        ])
    }
}
