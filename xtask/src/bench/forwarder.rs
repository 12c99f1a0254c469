//! The reference: a forwarder that stores nothing.
//!
//! It answers 202 at once, puts the body into a bounded channel, and 64 workers post it on.
//! What it accepted is lost when it ends, and what fails is lost at once; nothing that keeps
//! its promises can be expected to be much faster.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinSet,
};

const WORKERS: usize = 64;
const QUEUED: usize = 1_024;

type Queue = Arc<Mutex<mpsc::Receiver<Bytes>>>;

pub(crate) async fn run(target: String) -> anyhow::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let (queue, queued) = mpsc::channel(QUEUED);
    let queued = Arc::new(Mutex::new(queued));
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(forward(client.clone(), Arc::clone(&queued), target.clone()));
    }
    super::say(&listener.local_addr()?)?;
    let app = Router::new().route("/", post(accept)).with_state(queue);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _set = stream.set_nodelay(true);
    });
    axum::serve(listener, app).with_graceful_shutdown(super::end_of_input()).await?;
    Ok(())
}

async fn accept(State(queue): State<mpsc::Sender<Bytes>>, body: Bytes) -> StatusCode {
    match queue.send(body).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn forward(client: Client<HttpConnector, Full<Bytes>>, queue: Queue, target: String) {
    loop {
        let Some(body) = queue.lock().await.recv().await else { return };
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
