//! The steps that rounds and scenarios have in common.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use tokio::net::TcpSocket;

use super::{
    console::progress,
    load::{Bench, Load, Sample},
    place::{Place, Setup},
    report::{Numbers, Spread},
    subject::{Naive, Postrider},
};

/// The endpoint of the receiver that the reference posts to.
pub(crate) const NAIVE: usize = 0;

/// The first of the endpoints that Postrider delivers to.
pub(crate) const POSTRIDER: usize = 1;

/// Messages in one call when a backlog is made.
pub(crate) const BATCH: u64 = 1_000;

/// A port that refuses connections, and its URL. It is bound and not listening, so it stays ours.
pub(crate) fn refusing() -> anyhow::Result<(TcpSocket, String)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let url = format!("http://{}/", socket.local_addr()?);
    Ok((socket, url))
}

/// Starts Postrider in a new place, with an endpoint.
pub(crate) async fn live(
    bench: &mut Bench,
    setup: Setup,
    name: &str,
) -> anyhow::Result<(Postrider, Duration)> {
    let place = bench.place(setup, name).await?;
    with_endpoint(bench, place).await
}

pub(crate) async fn with_endpoint(
    bench: &Bench,
    place: Place,
) -> anyhow::Result<(Postrider, Duration)> {
    let (postrider, started) = Postrider::start(place).await?;
    postrider.add_event_type("bench.live").await?;
    postrider.add_endpoint(&bench.url(POSTRIDER), "bench.live").await?;
    Ok((postrider, started))
}

pub(crate) async fn one(
    bench: &mut Bench,
    postrider: &Postrider,
    load: Load,
) -> anyhow::Result<Sample> {
    postrider_load(bench, postrider, load).await.context("load")
}

pub(crate) async fn several(
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

pub(crate) fn named<const N: usize>(numbers: [(&str, f64); N]) -> Numbers {
    numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) async fn naive_load(
    bench: &mut Bench,
    naive: &Naive,
    load: Load,
) -> anyhow::Result<Sample> {
    let sample = bench.load(naive.target(), load, NAIVE..NAIVE + 1).await?;
    progress(&format!("  {:18} {}", "naive", sample.line()));
    Ok(sample)
}

pub(crate) async fn postrider_load(
    bench: &mut Bench,
    postrider: &Postrider,
    load: Load,
) -> anyhow::Result<Sample> {
    let endpoints = POSTRIDER..POSTRIDER + 1;
    let sample = bench.load(postrider.target(), load, endpoints).await?;
    progress(&format!("  {:18} {}", postrider.place.setup.name(), sample.line()));
    Ok(sample)
}

pub(crate) fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    Spread::of(samples.iter().map(of)).median
}
