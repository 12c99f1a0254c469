//! A receiver of webhooks that answers as a test wants, and keeps what it got.

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

use crate::server::PATIENCE;

/// One call that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Last part of the path, by which a test tells endpoints apart.
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

    /// Checks the signature; the time is the one that the call names.
    pub(crate) fn is_verified(&self, secret: &str) -> bool {
        let verifier = Verifier::new([secret]).unwrap();
        let find = |name: &str| self.headers.get(name).map(|it| it.to_str().unwrap());
        let headers = Headers::find(find).unwrap();
        let now = headers.timestamp.parse().unwrap();
        verifier.verify(&headers, &self.body, now, TOLERANCE).is_ok()
    }
}

/// How a path answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    Answers(u16),
    /// Answers 500 to that many calls, then 200.
    FailsFirst(usize),
    /// Answers 429 with `Retry-After` to the first call, then 200.
    Busy {
        seconds: u64,
    },
    Hangs,
    /// Answers 500 to the first two calls for each message that says it is stubborn.
    Stubborn,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    manners: Mutex<HashMap<String, Manner>>,
    arrived: Notify,
}

/// A receiver on a port of its own.
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

    /// Says how a path answers from now on; 200 otherwise.
    pub(crate) fn behave(&self, path: &str, manner: Manner) {
        self.shared.manners.lock().unwrap().insert(path.to_owned(), manner);
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.shared.calls.lock().unwrap();
        calls.iter().filter(|it| it.path == path).cloned().collect()
    }

    /// Waits until the calls of a path are enough.
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
            let calls = timeout(PATIENCE, enough).await;
            calls.unwrap_or_else(|_| {
                panic!("{place}: only {} calls of {path}", self.calls(path).len())
            })
        }
    }
}

/// Whether the last of these calls succeeds where [`Manner::Stubborn`] is meant.
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
    let manner = shared.manners.lock().unwrap().get(&path).copied();
    let (before, arrived) = {
        let mut calls = shared.calls.lock().unwrap();
        let before = calls.iter().filter(|it| it.path == path).count();
        calls.push(Call { path, headers, body, at: Instant::now() });
        (before, succeeds(&calls))
    };
    shared.arrived.notify_waiters();
    match manner.unwrap_or(Manner::Answers(200)) {
        Manner::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Manner::Busy { seconds } if before == 0 => {
            let wait = [(RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, wait).into_response()
        },
        Manner::FailsFirst(count) if before < count => {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        },
        Manner::Stubborn if !arrived => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Stubborn | Manner::FailsFirst(_) | Manner::Busy { .. } => {
            StatusCode::OK.into_response()
        },
        Manner::Hangs => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        },
    }
}
