//! One shard against two. The generator and the receiver step back, so that the server gets what
//! it wants of the processors; with two of them, this shows how the work is spread, not how fast a
//! larger machine is.

use crate::bench::{
    arguments::Arguments,
    load::{Bench, Sample},
    measure::{median, named, one, with_endpoint},
    place::Setup,
    report::{Numbers, Spread},
    subject::Postrider,
};

pub(super) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let bench = &mut bench.stepping_back().await?;
    let single = start(bench, setup, 1).await?;
    let double = start(bench, setup, 2).await?;
    let (mut of_one, mut of_two) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        of_one.push(one(bench, &single, arguments.saturate(setup.store)).await?);
        of_two.push(one(bench, &double, arguments.saturate(setup.store)).await?);
    }
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| sample.deliveries_per_second).collect()
    };
    let pairs = rates(&of_two).into_iter().zip(rates(&of_one));
    let ratio = Spread::of(pairs.map(|(two, one)| two / one));
    let all = || of_one.iter().chain(&of_two);
    let mut numbers = named([
        ("deliveries_per_second_1_shard", Spread::of(rates(&of_one)).median),
        ("deliveries_per_second_2_shards", Spread::of(rates(&of_two)).median),
        ("two_over_one", ratio.median),
        ("two_over_one_least", ratio.least),
        ("two_over_one_most", ratio.most),
        ("cpu_us_per_delivery_1_shard", median(&of_one, |it| it.cpu_us_per_delivery)),
        ("cpu_us_per_delivery_2_shards", median(&of_two, |it| it.cpu_us_per_delivery)),
        ("other_processes_cores", median(&of_two, |it| it.other_cores)),
        ("lost_deliveries", all().map(|it| it.lost).sum::<u64>() as f64),
    ]);
    // How the work is spread over the threads of the server with two shards.
    let threads = of_two.last().into_iter().flat_map(|sample| &sample.threads_us_per_delivery);
    numbers.extend(threads.map(|(thread, us)| (format!("2_shards_us_of_{thread}"), *us)));
    single.remove().await?;
    double.remove().await?;
    Ok(numbers)
}

async fn start(bench: &mut Bench, setup: Setup, shards: usize) -> anyhow::Result<Postrider> {
    let mut place = bench.place(setup, &format!("shards-{shards}")).await?;
    place.shards = Some(shards);
    Ok(with_endpoint(bench, place).await?.0)
}
