//! Receivers that scripts look into and change.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post, put},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};

use crate::receiver::{Behavior, Call, Receiver};

/// Longer than a page takes to notice, shorter than the timeout of requests.
const SLOW: Duration = Duration::from_secs(1);

/// Receivers of each kind, and the server through which scripts see their calls.
pub(crate) struct Receivers {
    receiver: Arc<Receiver>,
    /// `GET {control}/{path}?secret=…` lists the calls of a path, and says whether they verify.
    /// `PUT {control}/{path}/{status}` changes the response of a path.
    pub(crate) control: String,
    _task: JoinSet<()>,
}

impl Receivers {
    pub(crate) async fn start() -> Self {
        let receiver = Arc::new(Receiver::start().await);
        receiver.set_behavior("failing", Behavior::Status(500));
        receiver.set_behavior("gone", Behavior::Status(410));
        receiver.set_behavior("hanging", Behavior::Hang);
        let router = Router::new()
            .route("/{path}", get(calls))
            .route("/{path}/{status}", put(respond_with))
            .route("/slow", post(respond_slowly))
            .with_state(Arc::clone(&receiver));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let control = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { receiver, control, _task: task }
    }

    /// The URL of each kind.
    pub(crate) fn urls(&self) -> Value {
        let url = |path| self.receiver.url(path);
        json!({
            "good": url("good"),
            "failing": url("failing"),
            "gone": url("gone"),
            "hanging": url("hanging"),
            "slow": format!("{}/slow", self.control),
        })
    }
}

#[derive(serde::Deserialize)]
struct Verification {
    secret: Option<String>,
}

async fn calls(
    State(receiver): State<Arc<Receiver>>,
    Path(path): Path<String>,
    Query(Verification { secret }): Query<Verification>,
) -> String {
    let shown = |call: &Call| {
        json!({
            "id": call.id(),
            "signature": call.header("webhook-signature"),
            "body": String::from_utf8_lossy(&call.body),
            "verified": secret.as_ref().map(|it| call.is_verified(it)),
        })
    };
    Value::Array(receiver.calls(&path).iter().map(shown).collect()).to_string()
}

async fn respond_with(
    State(receiver): State<Arc<Receiver>>,
    Path((path, status)): Path<(String, u16)>,
) {
    receiver.set_behavior(&path, Behavior::Status(status));
}

#[expect(clippy::disallowed_methods, reason = "a receiver has its own clock")]
async fn respond_slowly() -> StatusCode {
    tokio::time::sleep_until((Instant::now() + SLOW).into()).await;
    StatusCode::OK
}
