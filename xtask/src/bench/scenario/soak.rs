//! A mixed load for half an hour: publishing to many applications, webhooks of a provider,
//! forged ones, a dead endpoint, lists, and applications that are created and deleted. It
//! measures whether the server's memory stays flat once it is warm.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use http::Method;
use serde_json::json;
use tokio::{
    net::TcpSocket,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::tenants;
use crate::{
    bench::{
        arguments::Arguments,
        console::progress,
        generator::{Order, Sent},
        load::{Bench, Load, Target},
        measure::{POSTRIDER, live, named},
        place::Setup,
        process::Part,
        report::Numbers,
        subject::Postrider,
        tenant,
    },
    soak::Trend,
};

/// Applications that are published to in turn.
const TENANTS: u64 = 1_000;

/// Messages per second to them, and as many webhooks for every four.
const RATE: f64 = 400.0;

/// Time between two rounds of everything else.
const ROUND_INTERVAL: Duration = Duration::from_millis(100);

/// The interval between two samples of the memory; the mean of a minute is one point.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// Numbers of webhooks' payloads, beyond those of the messages.
const FIRST_WEBHOOK: u64 = 100_000_000;

pub(crate) async fn run(
    bench: &mut Bench,
    setup: Setup,
    arguments: &Arguments,
) -> anyhow::Result<Numbers> {
    let (postrider, _) = live(bench, setup, "soak").await?;
    let postrider = Arc::new(postrider);
    postrider.add_event_type("bench.dead").await?;
    // Bound and not listening: the port stays ours, and refuses.
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let dead = format!("http://{}/", socket.local_addr()?);
    postrider.add_endpoint(&dead, "bench.dead").await?;
    tenants::make(&postrider, &bench.url(POSTRIDER), TENANTS).await?;
    let webhooks = postrider.add_source(&bench.url(POSTRIDER + 1)).await?;
    let seconds = arguments.minutes * 60.0;
    let order = postrider.order_of_tenants("bench.live", TENANTS);
    let load = Load { connections: 16, rate: Some(RATE), seconds };
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (loaded, received, memory, others) = tokio::join!(
        bench.load(Target { order: &order, ..postrider.target() }, load, POSTRIDER..POSTRIDER + 1),
        receive(&webhooks, seconds),
        watch(&postrider, end),
        everything_else(&postrider, (&webhooks.path, &dead), end),
    );
    let (sample, received, memory, others) = (loaded?, received?, memory?, others?);
    // The caches of the embedded store take about 20 minutes of this load to fill.
    let warm = memory.len() * 2 / 3;
    let warmed = memory.get(warm..).unwrap_or_default().iter().enumerate();
    let line = Trend::through(&warmed.map(|(at, it)| (at as f64, *it)).collect::<Vec<_>>());
    let numbers = named([
        ("minutes", arguments.minutes),
        ("deliveries_per_second", sample.deliveries_per_second),
        ("latency_p50_ms", sample.latency.p50_ms),
        ("latency_p99_ms", sample.latency.p99_ms),
        ("webhooks_accepted", received.accepted as f64),
        ("other_rounds", others as f64),
        ("rss_mib_first_minute", memory.first().copied().unwrap_or_default()),
        ("rss_mib_warm", memory.get(warm).copied().unwrap_or_default()),
        ("rss_mib_last_minute", memory.last().copied().unwrap_or_default()),
        ("peak_rss_mib", postrider.memory_mib()?.0),
        ("slope_mib_per_hour", line.slope * 60.0),
        ("slope_error_mib_per_hour", line.error * 60.0),
        ("lost_deliveries", sample.lost as f64),
    ]);
    Arc::into_inner(postrider).context("it is still being called")?.remove().await?;
    Ok(numbers)
}

/// Sends webhooks, a quarter of the messages' rate.
async fn receive(webhooks: &Order, seconds: f64) -> anyhow::Result<Sent> {
    let rate = Some(RATE / 4.0);
    let order = Order { connections: 4, rate, seconds, first: FIRST_WEBHOOK, ..webhooks.clone() };
    let mut generator = Part::start(&["generator", &serde_json::to_string(&order)?])?;
    generator.read_line(Duration::from_secs_f64(seconds + 60.0)).await
}

/// Resident memory in MiB, the mean of each minute until the end.
async fn watch(postrider: &Postrider, end: Instant) -> anyhow::Result<Vec<f64>> {
    let mut means = Vec::new();
    while Instant::now() < end {
        let minute = Instant::now() + Duration::from_secs(60);
        let (mut sum, mut count) = (0.0, 0.0);
        while Instant::now() < minute.min(end) {
            sum += postrider.memory_mib()?.1;
            count += 1.0;
            sleep_until((Instant::now() + SAMPLE_INTERVAL).min(end)).await;
        }
        means.push(sum / f64::max(count, 1.0));
        progress(&format!("  minute {:>3}: {:.1} MiB", means.len(), sum / f64::max(count, 1.0)));
    }
    Ok(means)
}

/// Everything except messages and webhooks; returns how many rounds were made.
async fn everything_else(
    postrider: &Postrider,
    (inbound, dead): (&str, &str),
    end: Instant,
) -> anyhow::Result<u64> {
    let mut ticks = interval(ROUND_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0;
    while Instant::now() < end {
        ticks.tick().await;
        come_and_go(postrider, dead, round).await?;
        read(postrider, round).await?;
        postrider.status_of(inbound, &[("stripe-signature", "t=1,v1=00")], "{}").await?;
        round += 1;
    }
    Ok(round)
}

/// Creates an application, sends to a dead endpoint, opens the portal, and deletes it.
async fn come_and_go(postrider: &Postrider, dead: &str, round: u64) -> anyhow::Result<()> {
    let uid = format!("visitor-{round}");
    let call = |method, path: String, body| async move {
        postrider.call(method, &format!("/api/v1{path}"), body).await
    };
    call(Method::POST, "/app".to_owned(), Some(json!({ "name": "visitor", "uid": uid }))).await?;
    let endpoint = json!({ "url": dead, "filterTypes": ["bench.dead"] });
    call(Method::POST, format!("/app/{uid}/endpoint"), Some(endpoint)).await?;
    let message = json!({ "eventType": "bench.dead", "payload": { "round": round } });
    let headers = [("idempotency-key", uid.as_str())];
    let path = format!("/api/v1/app/{uid}/msg");
    postrider.status_of(&path, &headers, &message.to_string()).await?;
    call(Method::POST, format!("/auth/app-portal-access/{uid}"), Some(json!({}))).await?;
    let event_type = format!("visit.n{round}");
    let body = json!({ "name": event_type, "description": "Comes and goes." });
    call(Method::POST, "/event-type".to_owned(), Some(body)).await?;
    call(Method::DELETE, format!("/event-type/{event_type}?expunge=true"), None).await?;
    call(Method::DELETE, format!("/app/{uid}"), None).await?;
    Ok(())
}

/// Lists of an application that has messages.
async fn read(postrider: &Postrider, round: u64) -> anyhow::Result<()> {
    let uid = tenant::uid(round % TENANTS);
    for path in ["msg?limit=50", "endpoint"] {
        postrider.call(Method::GET, &format!("/api/v1/app/{uid}/{path}"), None).await?;
    }
    Ok(())
}
