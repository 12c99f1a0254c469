//! The receiver of all endpoints, on a separate thread, so that it records calls without delay.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Instant, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use postrider::signature::{Headers, TOLERANCE, Verifier};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A received call.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The last segment of the path, which identifies the endpoint.
    pub(crate) endpoint: String,
    /// The id of the message.
    pub(crate) id: String,
    pub(crate) at: Instant,
    /// The actual time in seconds since the epoch, and the timestamp of the call.
    pub(crate) time: i64,
    pub(crate) said: i64,
    /// Whether the response was 2xx.
    pub(crate) is_taken: bool,
    headers: HeaderMap,
    body: Bytes,
}

impl Arrival {
    /// A call with only the fields that the checks need.
    pub(crate) fn example(id: &str, at: Instant, is_taken: bool) -> Self {
        let (endpoint, id) = (String::new(), id.to_owned());
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { endpoint, id, at, time: 0, said: 0, is_taken, headers, body }
    }

    pub(crate) fn is_verified(&self, secret: &str) -> bool {
        let verifier = Verifier::new([secret]).unwrap();
        let find = |name: &str| self.headers.get(name).map(|it| it.to_str().unwrap());
        let headers = Headers::find(find).unwrap();
        let now = headers.timestamp.parse().unwrap();
        verifier.verify(&headers, &self.body, now, TOLERANCE).is_ok()
    }
}

#[derive(Debug, Default)]
struct Record {
    arrivals: Vec<Arrival>,
    /// Number of calls by endpoint and message.
    counts: HashMap<(String, String), usize>,
}

/// A running receiver; it stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    record: Arc<Mutex<Record>>,
    _stop: DropGuard,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let record = Arc::default();
        let router = Router::new().route("/{path}", post(receive)).with_state(Arc::clone(&record));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        thread::spawn(|| serve(listener, router, stopped));
        Self { address, record, _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("http://{}/{endpoint}", self.address)
    }

    /// All calls so far, in order.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.record).arrivals.clone()
    }
}

fn serve(listener: TcpListener, router: Router, stopped: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            () = stopped => {},
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a receiver has its own clock")]
async fn receive(
    State(record): State<Arc<Mutex<Record>>>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let at = Instant::now();
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let said = header("webhook-timestamp").parse().unwrap();
    let time = i64::try_from(time).unwrap();
    let payload: Value = serde_json::from_slice(&body).unwrap();
    let messages = messages(header("webhook-id"), &payload);
    let mut record = lock(&record);
    let (first, number) = messages.first().unwrap().clone();
    let count = record.counts.entry((endpoint.clone(), first)).or_default();
    *count += 1;
    let is_taken = *count > 1 || !fails_first(&endpoint, number);
    // Of a batch that fails, only the first message counts: the others wait for it.
    let recorded = if is_taken { messages.len() } else { 1 };
    for (id, _) in messages.into_iter().take(recorded) {
        let (endpoint, headers, body) = (endpoint.clone(), headers.clone(), body.clone());
        record.arrivals.push(Arrival { endpoint, id, at, time, said, is_taken, headers, body });
    }
    if is_taken { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// The id and the publisher's number of each message of a request.
fn messages(webhook_id: String, body: &Value) -> Vec<(String, u64)> {
    let number = |payload: &Value| payload["n"].as_u64().unwrap();
    let Some(events) = body["events"].as_array() else { return vec![(webhook_id, number(body))] };
    let message =
        |event: &Value| (event["id"].as_str().unwrap().to_owned(), number(&event["payload"]));
    events.iter().map(message).collect()
}

/// Whether the endpoint fails the first attempt of the publisher's message with this number.
fn fails_first(endpoint: &str, n: u64) -> bool {
    match endpoint {
        "flaky" => n.is_multiple_of(3),
        "fifo" | "batches" => n.is_multiple_of(10),
        _ => false,
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
