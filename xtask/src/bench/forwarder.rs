//! The reference: a forwarder that stores nothing.
//!
//! It answers 202 at once, and 64 workers post the bodies on. Each worker has a bounded channel
//! of its own, filled in turn: one that all share, behind a mutex, costs a tenth more, and the
//! reference is meant to be hard to reach. What it accepted is lost when it ends, and what fails
//! is lost at once; nothing that keeps its promises can be expected to be much faster.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use super::console::{end_of_input, say};

const WORKERS: usize = 64;
const QUEUED: usize = 1_024;

/// The workers' channels, and whose turn it is.
#[derive(Clone, Debug)]
struct Queues {
    all: Arc<[mpsc::Sender<Bytes>]>,
    next: Arc<AtomicUsize>,
}

pub(crate) async fn run(target: String) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let mut workers = JoinSet::new();
    let mut all = Vec::new();
    for _ in 0..WORKERS {
        let (queue, queued) = mpsc::channel(QUEUED / WORKERS);
        all.push(queue);
        workers.spawn(forward(client.clone(), queued, target.clone()));
    }
    let queues = Queues { all: all.into(), next: Arc::default() };
    say(&listener.local_addr()?)?;
    let app = Router::new().route("/", post(accept)).with_state(queues);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _set = stream.set_nodelay(true);
    });
    axum::serve(listener, app).with_graceful_shutdown(end_of_input()).await?;
    Ok(())
}

async fn accept(State(queues): State<Queues>, body: Bytes) -> StatusCode {
    let turn = queues.next.fetch_add(1, Ordering::Relaxed) % queues.all.len();
    match queues.all[turn].send(body).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn forward(
    client: Client<HttpConnector, Full<Bytes>>,
    mut queue: mpsc::Receiver<Bytes>,
    target: String,
) {
    while let Some(body) = queue.recv().await {
        let request = Request::post(&target)
            .header("content-type", "application/json")
            .body(Full::new(body))
            .expect("the target is a URL");
        if let Ok(response) = client.request(request).await {
            // Reading it to the end gives the connection back to the pool.
            let _read = response.into_body().collect().await;
        }
    }
}
