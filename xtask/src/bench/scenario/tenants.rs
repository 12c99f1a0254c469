//! Very many applications, which are published to in turn, against one application.

use std::sync::Arc;

use anyhow::Context;
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::{
    arguments::Arguments,
    clock,
    console::progress,
    load::{Bench, Sample, Target},
    measure::{POSTRIDER, live, median, named, one},
    place::Setup,
    report::{Numbers, Spread},
    subject::Postrider,
    tenant::uid,
};

/// Requests under way while the applications are made.
const MAKERS: u64 = 64;

pub(crate) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let (postrider, _) = live(bench, setup, "tenants").await?;
    let mut postrider = Arc::new(postrider);
    let started = clock::now();
    make(&postrider, &bench.url(POSTRIDER), arguments.tenants).await?;
    let made = started.elapsed().as_secs_f64();
    progress(&format!("  {} applications made in {made:.0} s", arguments.tenants));
    let (mut of_one, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        of_one.push(one(bench, &postrider, arguments.saturate(setup.store)).await?);
        of_many.push(many(bench, &postrider, setup, arguments).await?);
    }
    let memory = postrider.memory_mib()?;
    Arc::get_mut(&mut postrider).context("it is still being called")?.restart().await?;
    let cold = many(bench, &postrider, setup, arguments).await?;
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| sample.deliveries_per_second).collect()
    };
    let pairs = rates(&of_many).into_iter().zip(rates(&of_one));
    let ratio = Spread::of(pairs.map(|(many, one)| many / one));
    let all = || of_one.iter().chain(&of_many).chain([&cold]);
    let numbers = named([
        ("deliveries_per_second_one", median(&of_one, |it| it.deliveries_per_second)),
        ("deliveries_per_second_many", median(&of_many, |it| it.deliveries_per_second)),
        ("many_over_one", ratio.median),
        ("many_over_one_least", ratio.least),
        ("many_over_one_most", ratio.most),
        ("deliveries_per_second_after_restart", cold.deliveries_per_second),
        ("cpu_us_per_delivery_one", median(&of_one, |it| it.cpu_us_per_delivery)),
        ("cpu_us_per_delivery_many", median(&of_many, |it| it.cpu_us_per_delivery)),
        ("answer_p50_ms_one", median(&of_one, |it| it.answers.p50_ms)),
        ("answer_p50_ms_many", median(&of_many, |it| it.answers.p50_ms)),
        ("made_per_second", arguments.tenants as f64 / made),
        ("peak_rss_mib", memory.0),
        ("peak_rss_mib_after_restart", postrider.memory_mib()?.0),
        ("other_processes_cores", median(&of_many, |it| it.other_cores)),
        ("refused_requests", all().map(Sample::refusals).sum::<u64>() as f64),
        ("lost_deliveries", all().map(|it| it.lost).sum::<u64>() as f64),
    ]);
    Arc::into_inner(postrider).context("it is still being called")?.remove().await?;
    Ok(numbers)
}

async fn many(
    bench: &mut Bench,
    postrider: &Postrider,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Sample> {
    let order = postrider.order_of_tenants("bench.live", arguments.tenants);
    let target = Target { order: &order, ..postrider.target() };
    let load = arguments.saturate(setup.store);
    let sample = bench.load(target, load, POSTRIDER..POSTRIDER + 1).await?;
    progress(&format!("  {:18} {}", "many", sample.line()));
    Ok(sample)
}

/// Makes the applications, each with an endpoint.
pub(crate) async fn make(postrider: &Arc<Postrider>, url: &str, count: u64) -> anyhow::Result<()> {
    let mut makers = JoinSet::new();
    for first in 0..MAKERS {
        let (postrider, url) = (Arc::clone(postrider), url.to_owned());
        makers.spawn(async move {
            for number in (first..count).step_by(usize::try_from(MAKERS)?) {
                let uid = uid(number);
                let body = json!({ "name": "tenant", "uid": uid });
                postrider.call(Method::POST, "/api/v1/app", Some(body)).await?;
                let path = format!("/api/v1/app/{uid}/endpoint");
                let body = json!({ "url": url, "filterTypes": ["bench.live"] });
                postrider.call(Method::POST, &path, Some(body)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made??;
    }
    Ok(())
}
