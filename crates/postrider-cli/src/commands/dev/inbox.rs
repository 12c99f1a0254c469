//! The built-in receiver: verifies deliveries and prints them.

use std::{fmt::Write, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use postrider::{
    ApplicationId, MessageId,
    signature::{Headers, TOLERANCE},
};
use postrider_core::time::Timestamp;
use postrider_engine::Engine;
use postrider_store::IdOrUid;
use tokio::sync::{OnceCell, mpsc};

use super::sample::{ENDPOINT, INBOX_PATH, Sample};
use crate::output;

/// Deliveries that wait to be printed; further ones are not printed.
const QUEUE: usize = 1_000;

/// Characters of a payload that are printed.
const PAYLOAD_CHARS: usize = 200;

/// A delivery to the inbox.
#[derive(Debug)]
struct Received {
    id: String,
    received_at: Timestamp,
    status: StatusCode,
    verification: String,
    body: Bytes,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    sample: OnceCell<Sample>,
    queue: mpsc::Sender<Received>,
}

/// Prints what the HTTP handler received.
#[derive(Debug)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Received>,
}

impl Inbox {
    /// The inbox, and the route that receives for it.
    pub(super) fn new(engine: Engine) -> (Self, Router) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared { engine, sample: OnceCell::new(), queue: sender });
        let pages = Router::new().route(INBOX_PATH, post(receive)).with_state(Arc::clone(&shared));
        (Self { shared, queue }, pages)
    }

    /// Prints each delivery immediately, for as long as the server runs.
    pub(super) async fn run(mut self, sample: Sample) -> anyhow::Result<()> {
        let application = sample.application;
        self.shared.sample.set(sample)?;
        while let Some(received) = self.queue.recv().await {
            let event_type = self.event_type(application, &received.id).await;
            output::text(&render(&received, &event_type))?;
        }
        Ok(())
    }

    async fn event_type(&self, application: ApplicationId, id: &str) -> String {
        let Ok(id) = id.parse::<MessageId>() else { return "?".to_owned() };
        let found = self.shared.engine.store().message(application, &IdOrUid::Id(id)).await;
        found.ok().flatten().map_or_else(|| "?".to_owned(), |it| it.event_type.to_string())
    }
}

/// Responds with 503 until the secret is known: deliveries left over from an earlier start are
/// retried.
async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(sample) = shared.sample.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    let received_at = shared.engine.clock().now();
    let find = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let found = Headers::find(find);
    let now = received_at.as_seconds();
    let verified = found.and_then(|found| sample.verifier.verify(&found, &body, now, TOLERANCE));
    let (status, verification) = match verified {
        Ok(()) => (StatusCode::OK, "signature verified".to_owned()),
        Err(rejected) => (StatusCode::BAD_REQUEST, format!("NOT VERIFIED: {rejected}")),
    };
    let id = found.map_or_else(|_| String::new(), |found| found.id.to_owned());
    // Under load, lines are lost rather than responses delayed.
    drop(shared.queue.try_send(Received { id, received_at, status, verification, body }));
    status
}

/// One line: event type, endpoint, status, time since acceptance, signature, id, payload.
fn render(received: &Received, event_type: &str) -> String {
    let Received { id, received_at, status, verification, body } = received;
    let latency = id.parse::<MessageId>().ok().map(|id| Timestamp::from_millis(id.millis()));
    let latency = latency
        .map_or_else(|| "?".to_owned(), |from| received_at.since(from).as_millis().to_string());
    let body = String::from_utf8_lossy(body);
    let body = body.chars().map(|it| if it.is_control() { ' ' } else { it });
    let mut text = format!(
        "{event_type}  {ENDPOINT}  {}  {latency} ms  {verification}  {id}  ",
        status.as_u16()
    );
    text.extend(body.take(PAYLOAD_CHARS));
    writeln!(text).expect("writing to a string cannot fail");
    text
}
