//! A receiver of webhooks with configurable responses that records its calls.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use postrider::signature::{Headers, TOLERANCE, Verifier};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};

use crate::server::MAX_WAIT;

/// A received call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The last segment of the path, which identifies the endpoint.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Verifies the signature, at the time of its timestamp.
    pub(crate) fn is_verified(&self, secret: &str) -> bool {
        let verifier = Verifier::new([secret]).unwrap();
        let find = |name: &str| self.headers.get(name).map(|it| it.to_str().unwrap());
        let headers = Headers::find(find).unwrap();
        let now = headers.timestamp.parse().unwrap();
        verifier.verify(&headers, &self.body, now, TOLERANCE).is_ok()
    }
}

/// How a path responds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behavior {
    Status(u16),
    /// Responds with 500 to the first calls, then with 200.
    FailFirst(usize),
    /// Responds with 429 and `Retry-After` to the first call, then with 200.
    Busy {
        seconds: u64,
    },
    Hang,
    /// Responds with 500 to the first two calls for each message that contains "stubborn".
    Stubborn,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    behaviors: Mutex<HashMap<String, Behavior>>,
    arrived: Notify,
}

/// A running receiver.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let router = Router::new().route("/{path}", post(receive)).with_state(Arc::clone(&shared));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, _task: task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Sets how a path responds from now on; the default is 200.
    pub(crate) fn set_behavior(&self, path: &str, behavior: Behavior) {
        self.shared.behaviors.lock().unwrap().insert(path.to_owned(), behavior);
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.shared.calls.lock().unwrap();
        calls.iter().filter(|it| it.path == path).cloned().collect()
    }

    /// Waits until the calls of a path satisfy the condition.
    #[track_caller]
    pub(crate) fn until(
        &self,
        path: &str,
        is_enough: impl Fn(&[Call]) -> bool,
    ) -> impl Future<Output = Vec<Call>> {
        let place = std::panic::Location::caller();
        async move {
            let enough = async {
                loop {
                    let arrived = self.shared.arrived.notified();
                    let calls = self.calls(path);
                    if is_enough(&calls) {
                        return calls;
                    }
                    arrived.await;
                }
            };
            let calls = timeout(MAX_WAIT, enough).await;
            calls.unwrap_or_else(|_| {
                panic!("{place}: only {} calls of {path}", self.calls(path).len())
            })
        }
    }
}

/// Whether the last of these calls succeeds with [`Behavior::Stubborn`].
pub(crate) fn succeeds(calls: &[Call]) -> bool {
    let last = calls.last().expect("there was a call");
    let is_same = |it: &&Call| it.path == last.path && it.id() == last.id();
    let is_stubborn = last.body.windows(8).any(|it| it == b"stubborn");
    !is_stubborn || calls.iter().filter(is_same).count() > 2
}

#[expect(clippy::disallowed_methods, reason = "a receiver has its own clock")]
async fn receive(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let behavior = shared.behaviors.lock().unwrap().get(&path).copied();
    let (before, arrived) = {
        let mut calls = shared.calls.lock().unwrap();
        let before = calls.iter().filter(|it| it.path == path).count();
        calls.push(Call { path, headers, body, at: Instant::now() });
        (before, succeeds(&calls))
    };
    shared.arrived.notify_waiters();
    match behavior.unwrap_or(Behavior::Status(200)) {
        Behavior::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Behavior::Busy { seconds } if before == 0 => {
            let wait = [(RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, wait).into_response()
        },
        Behavior::FailFirst(count) if before < count => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        },
        Behavior::Stubborn if !arrived => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behavior::Stubborn | Behavior::FailFirst(_) | Behavior::Busy { .. } => {
            StatusCode::OK.into_response()
        },
        Behavior::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        },
    }
}
