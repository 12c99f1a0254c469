//! The load: publishers that use all nodes in turn, and record the accepted messages.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, header::RETRY_AFTER, request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{now, pass};

/// Event type for endpoints without order or rate limit.
pub(crate) const PLAIN: &str = "plain.event";

/// Event type for all endpoints.
pub(crate) const TURN: &str = "turn.event";

/// Pause after any response but 202.
const REST: Duration = Duration::from_millis(100);

/// A message that got 202.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    pub(crate) event_type: &'static str,
    /// When the request was sent, and when the response arrived.
    pub(crate) sent: Instant,
    pub(crate) responded_at: Instant,
}

/// The rate of publishing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) plain_publishers: usize,
    /// Pause between a response and the next message of the same publisher.
    pub(crate) plain_pause: Duration,
    pub(crate) turn_publishers: usize,
    pub(crate) turn_pause: Duration,
    /// Bytes of padding in a plain message.
    pub(crate) padding: usize,
    /// Maximum wait for a response.
    pub(crate) timeout: Duration,
}

impl Pace {
    /// A load that three nodes of a debug build and their database can handle on two cores, but that
    /// exceeds the rate of the strict endpoint.
    pub(crate) const STEADY: Self = Self {
        plain_publishers: 2,
        plain_pause: Duration::from_millis(20),
        turn_publishers: 2,
        turn_pause: Duration::from_millis(40),
        padding: 0,
        timeout: Duration::from_millis(700),
    };
}

/// Calls the API of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) token: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A response of the API.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) names_wait: bool,
    pub(crate) body: Value,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Caller {
    pub(crate) fn new(token: String) -> Self {
        Self { token, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Calls the API of a node below `/api/v1`.
    pub(crate) async fn call(
        &self,
        node: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<ApiResponse, BoxError> {
        let request = Request::builder().method(method).uri(format!("{node}/api/v1{path}"));
        self.send(request, body).await
    }

    /// Publishes a message with an idempotency key.
    pub(crate) async fn publish(
        &self,
        node: &str,
        key: &str,
        body: Value,
    ) -> Result<ApiResponse, BoxError> {
        let uri = format!("{node}/api/v1/app/acme/msg");
        let request = Request::builder().method(Method::POST).uri(uri);
        self.send(request.header("idempotency-key", key), Some(body)).await
    }

    async fn send(
        &self,
        request: request::Builder,
        body: Option<Value>,
    ) -> Result<ApiResponse, BoxError> {
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let request = request
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))?;
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        let names_wait = response.headers().contains_key(RETRY_AFTER);
        let body = response.into_body().collect().await?.to_bytes();
        Ok(ApiResponse {
            status,
            names_wait,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }
}

/// The state that publishers share with the test.
#[derive(Debug)]
struct Shared {
    caller: Caller,
    pace: Pace,
    nodes: Mutex<Vec<String>>,
    accepted: Mutex<Vec<Accepted>>,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    /// Unexpected responses.
    odd: Mutex<Vec<String>>,
}

/// Publishers on a separate thread; they stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(caller: Caller, nodes: Vec<String>, pace: Pace) -> Self {
        let shared = Arc::new(Shared {
            caller,
            pace,
            nodes: Mutex::new(nodes),
            accepted: Mutex::default(),
            refused: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            odd: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let (theirs, stopped) = (Arc::clone(&shared), stop.clone());
        let thread = thread::spawn(move || publish_all(&theirs, &stopped));
        Self { shared, stop, thread: Some(thread) }
    }

    /// Sets the new address of a restarted node.
    pub(crate) fn moved(&self, node: usize, url: String) {
        self.shared.nodes.lock().unwrap()[node] = url;
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.accepted.lock().unwrap().len()
    }

    /// Number of messages that got 503.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Relaxed)
    }

    /// Number of calls without a response; their messages may have been accepted.
    pub(crate) fn unanswered(&self) -> usize {
        self.shared.unanswered.load(Relaxed)
    }

    /// Stops the publishers; returns the accepted messages.
    pub(crate) fn end(&mut self) -> Vec<Accepted> {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        let odd = mem::take(&mut *self.shared.odd.lock().unwrap());
        assert!(odd.is_empty(), "publishers got {odd:?}");
        self.shared.accepted.lock().unwrap().clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn publish_all(shared: &Arc<Shared>, stop: &CancellationToken) {
    let Pace { plain_publishers, plain_pause, turn_publishers, turn_pause, .. } = shared.pace;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..plain_publishers + turn_publishers {
            let is_plain = number < plain_publishers;
            let event_type = if is_plain { PLAIN } else { TURN };
            let pause = if is_plain { plain_pause } else { turn_pause };
            let (shared, stop) = (Arc::clone(shared), stop.clone());
            tasks.spawn(async move { publish(&shared, number, event_type, pause, &stop).await });
        }
        tasks.join_all().await;
    });
}

/// Publishes messages one after the other, through the nodes in turn.
async fn publish(
    shared: &Shared,
    number: usize,
    event_type: &'static str,
    pause: Duration,
    stop: &CancellationToken,
) {
    let padding = "x".repeat(if event_type == PLAIN { shared.pace.padding } else { 0 });
    for n in 0_usize.. {
        let node = {
            let nodes = shared.nodes.lock().unwrap();
            nodes[(n + number) % nodes.len()].clone()
        };
        let payload = json!({ "publisher": number, "n": n, "padding": padding });
        let body = json!({ "eventType": event_type, "payload": payload });
        let sent = now();
        let call = shared.caller.call(&node, Method::POST, "/app/acme/msg", Some(body));
        let response = tokio::select! {
            response = tokio::time::timeout(shared.pace.timeout, call) => response,
            () = stop.cancelled() => return,
        };
        let is_accepted = matches!(&response, Ok(Ok(response)) if response.status == 202);
        shared.record(event_type, sent, response.ok().and_then(Result::ok));
        tokio::select! {
            () = pass(if is_accepted { pause } else { REST }) => {},
            () = stop.cancelled() => return,
        }
    }
}

impl Shared {
    fn record(&self, event_type: &'static str, sent: Instant, response: Option<ApiResponse>) {
        let responded_at = now();
        match response {
            None => drop(self.unanswered.fetch_add(1, Relaxed)),
            Some(ApiResponse { status: 202, body, .. }) => {
                let id = body["id"].as_str().unwrap().to_owned();
                self.accepted.lock().unwrap().push(Accepted { id, event_type, sent, responded_at });
            },
            Some(ApiResponse { status: 503, names_wait: true, .. }) => {
                self.refused.fetch_add(1, Relaxed);
            },
            Some(response) => self.odd.lock().unwrap().push(format!("{response:?}")),
        }
    }
}
