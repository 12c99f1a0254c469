//! An endpoint with a backlog is deleted: how long others wait meanwhile.

use std::time::Duration;

use crate::bench::{
    arguments::Arguments,
    clock,
    load::{Bench, Sample},
    measure::{BATCH, live, median, named, one, refusing, several},
    place::Setup,
    report::{Numbers, Spread},
};

/// Requests per second: few enough that a wait is not hidden by others.
const RATE: f64 = 1_000.0;

/// After the warm-up, so that the deletion is a part of what is measured.
const BEGIN: Duration = Duration::from_millis(1_500);

pub(super) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let (postrider, _) = live(bench, setup, "cancel").await?;
    postrider.add_event_type("bench.dead").await?;
    let (_socket, url) = refusing()?;
    let load = arguments.at_rate(RATE);
    let (mut during, mut took) = (Vec::new(), Vec::new());
    let before = several(bench, &postrider, load, arguments.rounds).await?;
    for _ in 0..arguments.rounds {
        postrider.add_endpoint(&url, "bench.dead").await?;
        postrider.post_batches("bench.dead", arguments.backlog, BATCH).await?;
        let delete = async {
            tokio::time::sleep(BEGIN).await;
            let started = clock::now();
            postrider.remove_endpoint(&url).await?;
            anyhow::Ok(started.elapsed().as_secs_f64())
        };
        let (sample, seconds) = tokio::join!(one(bench, &postrider, load), delete);
        during.push(sample?);
        took.push(seconds?);
    }
    let longest =
        |samples: &[Sample]| Spread::of(samples.iter().map(|sample| sample.answers.max_ms)).most;
    let lost = before.iter().chain(&during).map(|sample| sample.lost);
    let numbers = named([
        ("deletion_s", Spread::of(took).median),
        ("answer_p99_ms_before", median(&before, |it| it.answers.p99_ms)),
        ("answer_p99_ms_meanwhile", median(&during, |it| it.answers.p99_ms)),
        ("longest_answer_ms_before", longest(&before)),
        ("longest_answer_ms_meanwhile", longest(&during)),
        ("other_processes_cores", median(&during, |it| it.other_cores)),
        ("lost_deliveries", lost.sum::<u64>() as f64),
    ]);
    postrider.remove().await?;
    Ok(numbers)
}
