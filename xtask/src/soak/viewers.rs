//! Readers: lists of the API, pages of the console, live pages, and listeners.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use http::StatusCode;
use http_body_util::BodyExt;

use super::{
    api::{Call, Returned},
    model::{APPLICATIONS, PROVIDERS},
    run::Run,
    site::Site,
};

const LIST_INTERVAL: Duration = Duration::from_millis(500);
const PAGE_INTERVAL: Duration = Duration::from_secs(2);

/// The longest time for which a live page is open.
const OPEN_SECONDS: u64 = 20;

/// How long a listener is connected, and then not.
const CONNECTED: Duration = Duration::from_secs(15);
const DISCONNECTED: Duration = Duration::from_secs(4);

const PAGES: [&str; 9] = [
    "/",
    "/apps",
    "/apps/soak-0",
    "/apps/soak-1",
    "/messages",
    "/failures",
    "/endpoints",
    "/sources",
    "/tasks",
];

/// Reads lists until the load ends.
pub(crate) async fn read_lists(run: Arc<Run>) {
    for round in 0.. {
        let app = format!("/api/v1/app/soak-{}", round % APPLICATIONS);
        let path = match round % 5 {
            0 => format!("{app}/msg?limit=50"),
            1 => format!("{app}/endpoint"),
            2 => format!("{app}/attempt/endpoint/flaky?limit=50"),
            3 => format!("{app}/endpoint/fast/stats"),
            _ => "/api/v1/app?limit=50".to_owned(),
        };
        run.check(&path, read(&run, Call::get(path.clone()))).await;
        run.activity().lists += 1;
        if !run.pause(LIST_INTERVAL).await {
            break;
        }
    }
}

/// Reads pages of the console until the load ends.
pub(crate) async fn read_pages(run: Arc<Run>) {
    for path in PAGES.iter().cycle() {
        run.check(path, read(&run, page(&run, path))).await;
        run.activity().pages += 1;
        if !run.pause(PAGE_INTERVAL).await {
            break;
        }
    }
}

fn page(run: &Run, path: &str) -> Call {
    Call::get(path).header("cookie", &format!("postrider-console={}", run.api.token))
}

async fn read(run: &Run, call: Call) -> anyhow::Result<()> {
    let Returned { status, body, .. } = run.api.insist(&call).await?;
    ensure!(status == StatusCode::OK, "{status} {body}");
    Ok(())
}

/// Keeps a live page open for a while, again and again, until the load ends.
pub(crate) async fn watch_pages(run: Arc<Run>) {
    while run.is_loaded() {
        let path = PAGES[usize::try_from(run.draw() % 6).unwrap_or(0)];
        let call = page(&run, path).header("accept", "text/event-stream");
        let time = Duration::from_secs(1 + run.draw() % OPEN_SECONDS);
        tokio::select! {
            () = watch(&run, &call) => {},
            _ = run.pause(time) => {},
        }
        run.activity().live_pages += 1;
        run.pause(Duration::from_millis(300)).await;
    }
}

/// Reads a stream until it ends; it does when the server stops.
async fn watch(run: &Run, call: &Call) {
    let Ok(response) = run.api.send(call).await else { return };
    if response.status() != StatusCode::OK && !response.status().is_server_error() {
        run.record().violate(format!("live page {}: {}", call.path, response.status()));
    }
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
        run.activity().live_bytes += bytes as u64;
    }
}

/// Runs a listener for a while, again and again, until the load ends.
pub(crate) async fn listen(run: Arc<Run>, site: Arc<Site>) {
    for round in 0.. {
        let source = PROVIDERS[round % PROVIDERS.len()];
        let to = format!("http://{}/l", run.receivers);
        let started = async { site.listen(source, &run.api.token, &to) };
        let Some(mut listener) = run.check("listen", started).await else { break };
        let goes_on = run.pause(CONNECTED).await;
        run.check("a listener", async { listener.end().await }).await;
        run.activity().listeners += 1;
        if !goes_on || !run.pause(DISCONNECTED).await {
            break;
        }
    }
}
